// This connector as the program sees it, with [sink.console] of a configuration file.
#include "console/console.hpp"
#include "console/lines.hpp"
#include "console/output.hpp"
#include "console/sink.hpp"

namespace semel::console {

namespace {

using config::Part;

std::vector<config::Setting> settings() {
  return {{.path = "format",
           .binding =
               config::choice<Form>(&Options::form, {{"json", Form::json}, {"value", Form::value}}),
           .text = "`json`: a line is a JSON object with topic, partition, offset, timestamp, key, "
                   "headers and value, as far as the record has them. `value`: the record's value "
                   "as it is, and a line break."}};
}

Result<std::vector<SampledRecord>> sample(const Part& options, const SinkContext& context,
                                          const RecordFeed& feed) {
  std::vector<SampledRecord> all;
  Lines lines(options.as<Options>().form, context.format);
  auto fed = feed([&](const TopicPartition& tp, std::span<const Record> records) {
    for (const auto& record : records) {
      std::string line;
      lines.append(line, tp, record);
      line.pop_back();
      all.push_back({.tp = tp, .offset = record.offset, .values = {{"line", std::move(line)}}});
    }
  });
  if (!fed) return tl::unexpected(fed.error());
  return all;
}

}  // namespace

Connector connector() {
  config::Section section{.path = "sink.console", .defaults = Part::of(Options{})};
  section.settings = settings();
  return {
      .name = "console",
      .settings = std::move(section),
      .guarantee = Guarantee::none,
      .keeps_ledger = false,
      .has_standard_output = true,
      .target = [](const Part&) { return std::string("console"); },
      .policy = [](const Part&) -> const record::Policy& {
        static const record::Policy every_record_is_a_line;
        return every_record_is_a_line;
      },
      .make_sink = [](const Part& part, const SinkContext& context)
          -> Result<std::unique_ptr<Sink>> { return make_sink(part.as<Options>(), context); },
      .open_ledger = [](const Part&, const SinkContext&) -> Result<std::unique_ptr<Ledger>> {
        return fail(ErrorKind::fatal, Cause::sink,
                    "the console keeps no ledger: each start begins at source.kafka.start, and "
                    "there is nothing to show or to move");
      },
      .check = [](const Part&, const SinkContext&) -> std::vector<Finding> {
        if (auto open = StandardOutput::is_open(); !open) {
          return {{.what = "standard output",
                   .remedy = open.error().message,
                   .cause = open.error().cause}};
        }
        return {{.ok = true, .what = "standard output; no ledger: each start begins anew"}};
      },
      .sample = sample,
      .ddl =
          [](const Part&, const SinkContext&) {
            return std::string("-- nothing to be made: the console keeps no ledger\n");
          },
  };
}

}  // namespace semel::console
