// This connector as the program sees it, with [sink.file] of a configuration file.
#include <fmt/format.h>

#include <functional>
#include <memory>

#include "connector/record_settings.hpp"
#include "file/connection.hpp"
#include "file/file.hpp"
#include "file/names.hpp"

namespace semel::file {

namespace {

using config::Part;

std::vector<config::Setting> settings() {
  constexpr std::int64_t hour = 3'600'000;
  std::vector<config::Setting> all{
      store::required_text("directory", &Options::directory,
                           "The directory that gets the files, from the one that semel is started "
                           "in. It must exist, on a disk of this machine. semel makes `_semel` "
                           "(the ledger) and `_dead_letters` in it.",
                           "\"/var/lib/clicks\""),
      {.path = "format",
       .binding = config::choice<Form>(
           &Options::form,
           {{"jsonl", Form::jsonl}, {"csv", Form::csv}, {"parquet", Form::parquet}}),
       .text = "`jsonl`: a JSON object a line. `csv`: RFC 4180, with a line of names. `parquet`: "
               "where semel was built with Apache Arrow. [What becomes of which "
               "value](../guides/files.md#what-becomes-of-which-value)."},
      {.path = "schema",
       .binding = config::text_list(&Options::schema,
                                    [](const std::string& one) -> std::optional<std::string> {
                                      auto read = columns_of({one});
                                      return read ? std::nullopt
                                                  : std::optional(read.error().message);
                                    }),
       .text = "The columns, in their order: `NAME`, or `NAME TYPE` with one of string, int64, "
               "double, boolean, timestamp, any. Needed but for JSON that goes into `jsonl`: "
               "without it, a line is the record's value as it was.",
       .example = "[\"id int64\", \"page\", \"at timestamp\"]"},
      {.path = "roll.interval",
       .binding = config::duration(&Options::roll_interval_ms, {1, hour}),
       .text =
           "A file is a range of a partition. While the pipeline has caught up it makes one for "
           "each partition with new records at most so often (or every `batch.interval`, where "
           "that is longer): the longer, the larger are the files, and the later they come. "
           "A pipeline that is behind does not wait: there, "
           "`batch.max_records_per_partition` says how much goes into a file.",
       .example = "\"5m\""}};
  const config::Field<store::Options> rows = &Options::rows;
  for (auto&& one :
       record_settings(rows.of(&store::Options::columns), rows.of(&store::Options::policy))) {
    all.push_back(std::move(one));
  }
  all.push_back({.path = "ledger.keep_commits",
                 .binding = config::duration(rows.of(&store::Options::keep_commits_hours),
                                             {0, 365ll * 100 * 24 * hour}, hour),
                 .text =
                     "Age at which rows of the history may be removed, in whole hours; a file of "
                     "the ledger goes once all of its rows are so old, and the newest row of "
                     "each partition always stays. `\"0s\"`: never.",
                 .example = "\"30d\""});
  return all;
}

std::string target_of(const Options& options) {
  return fmt::format("{} files", options.form == Form::csv       ? "CSV"
                                 : options.form == Form::parquet ? "Parquet"
                                                                 : "JSON lines");
}

/// All connections of one setup share what the process knows of the ledger.
struct Opened {
  std::mutex mutex;
  std::shared_ptr<Journals> journals;  ///< guarded by mutex
};

Result<std::unique_ptr<store::Store>> open(const Options& options, const SinkContext& context,
                                           const std::shared_ptr<Opened>& opened,
                                           const store::Interrupt& stop,
                                           std::optional<std::chrono::milliseconds> /*patience*/) {
  const std::lock_guard lock(opened->mutex);
  if (!opened->journals) {
    const auto whose =
        fmt::format("{}.{}", name_part(context.owner.pipeline), name_part(context.owner.output));
    auto place = Place::open(options.directory, whose);
    if (!place) return tl::unexpected(place.error());
    opened->journals = std::make_shared<Journals>(*std::move(place), context.owner.id);
  }
  return std::make_unique<Connection>(opened->journals, options, context.format, stop);
}

store::Setup setup(const Part& part, const SinkContext& context) {
  const auto& options = part.as<Options>();
  store::Setup setup{.section = "sink.file",
                     .kind = "file",
                     .place = "directory " + options.directory,
                     .find_dead_letters = fmt::format("cat {}/{}/*.jsonl", options.directory,
                                                      dead_letters_directory),
                     .options = options.rows,
                     .target = target_of(options),
                     .rows_first = true,
                     .forgets = false,
                     .open = std::bind_front(open, options, context, std::make_shared<Opened>()),
                     .context = context};
  setup.options.table = "files";
  if (is_whole(options)) setup.options.columns = {{std::string(whole_record), "$"}};
  return setup;
}

}  // namespace

Connector connector() {
  config::Section section{.path = "sink.file", .defaults = Part::of(Options{})};
  section.settings = settings();
  return {
      .name = "file",
      .settings = std::move(section),
      .interval_ms = [](const Part& part) { return part.as<Options>().roll_interval_ms; },
      .target =
          [](const Part& part) {
            const auto& options = part.as<Options>();
            return target_of(options) + " in " + options.directory;
          },
      .policy = [](const Part& part) -> const record::Policy& {
        return part.as<Options>().rows.policy;
      },
      .make_sink = [](const Part& part,
                      const SinkContext& context) { return make_sink(setup(part, context)); },
      .open_ledger = [](const Part& part,
                        const SinkContext& context) { return open_ledger(setup(part, context)); },
      .check = [](const Part& part,
                  const SinkContext& context) { return check(setup(part, context)); },
      .sample = [](const Part& part, const SinkContext& context,
                   const RecordFeed& feed) { return sample(setup(part, context), feed); },
      .ddl =
          [](const Part&, const SinkContext&) {
            return std::string(
                "-- nothing to be made: semel makes the ledger itself, in the directory\n");
          },
  };
}

}  // namespace semel::file
