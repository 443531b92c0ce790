// This connector as the program sees it, with [sink.sqlite] of a configuration file.
#include <fmt/format.h>

#include "config/setting.hpp"
#include "connector/record_settings.hpp"
#include "sqlite/ledger.hpp"
#include "sqlite/session.hpp"
#include "sqlite/sink.hpp"
#include "sqlite/sqlite.hpp"

namespace semel::sqlite {

namespace {

using config::duration;
using config::Part;
using config::Setting;
using config::text;

std::optional<std::string> not_empty(const std::string& text) {
  return text.empty() ? std::optional<std::string>("must not be empty") : std::nullopt;
}

config::Section settings() {
  constexpr std::int64_t second = 1'000;
  constexpr std::int64_t hour = 3600 * second;
  config::Section section{.path = "sink.sqlite", .defaults = Part::of(Options{})};
  section.settings = {
      {.path = "file",
       .binding = text(&Options::file, not_empty),
       .text = "The database file that gets the rows, from the directory that semel is started in. "
               "It must exist; semel switches it to SQLite's write-ahead log.",
       .example = "\"shop.db\"",
       .required = true},
      {.path = "table",
       .binding = text(&Options::table, not_empty),
       .text = "The table in it, as it is written. It must exist; its columns and their types are "
               "read from the file.",
       .example = "\"clicks\"",
       .required = true},
  };
  auto shared = record_settings(&Options::columns, &Options::policy);
  section.settings.insert(section.settings.end(), shared.begin(), shared.end());
  section.settings.push_back(
      {.path = "busy_timeout",
       .binding = duration(&Options::busy_timeout_ms, {0, hour}),
       .text = "How long another process may have the file locked before semel says who it is. It "
               "goes on trying."});
  section.settings.push_back(
      {.path = "ledger.keep_commits",
       .binding = duration(&Options::keep_commits_hours, {0, 365ll * 100 * 24 * hour}, hour),
       .text = "Age at which rows of the history are removed, in whole hours; the newest row of "
               "each partition always stays. `\"0s\"`: never.",
       .example = "\"30d\""});
  return section;
}

std::string target(const Part& part) {
  const auto& options = part.as<Options>();
  return fmt::format("sqlite table {} in {}", options.table, options.file);
}

/// One line after the other, as far as the rest can be known.
std::vector<Finding> check(const Part& part, const SinkContext& context) {
  const auto& options = part.as<Options>();
  std::vector<Finding> findings;
  const auto good = [&](std::string what) { findings.push_back({.ok = true, .what = what}); };
  const auto bad = [&](std::string what, const Error& error) {
    findings.push_back({.what = what, .remedy = error.message, .cause = error.cause});
    return findings;
  };
  auto database = Database::open(options, std::make_shared<std::atomic<bool>>(false));
  if (!database) return bad("file " + options.file, database.error());
  good("file " + options.file);
  auto columns = read_columns(**database, options.table);
  if (!columns) return bad("table " + options.table, columns.error());
  good("table " + options.table);
  auto reader = make_reader(*columns, options, *context.format);
  if (!reader) return bad("columns of " + options.table, reader.error());
  for (std::size_t i = 0; i < columns->size(); ++i) {
    const auto& [name, type, holds] = (*columns)[i].record;
    const auto& written = reader->columns()[i].written;
    good(fmt::format("column {}.{}{} from {}", options.table, name,
                     type.empty() ? "" : " (" + type + ")",
                     written.empty() ? "$." + name : written));
  }
  auto ledger = find_ledger(**database);
  if (!ledger) return bad("ledger", ledger.error());
  good(*ledger ? "ledger in the same file" : "no ledger yet: `semel run` makes it");
  if (auto kept = (*database)->can_keep_rows(); !kept) return bad("writing", kept.error());
  if (auto locked = (*database)->run(writing); !locked) return bad("writing", locked.error());
  (*database)->roll_back();
  good("writing");
  return findings;
}

Result<std::vector<SampledRecord>> sample(const Part& part, const SinkContext& context,
                                          const RecordFeed& feed) {
  auto shared = std::make_shared<Shared>();
  shared->options = part.as<Options>();
  shared->context = context;
  return Session(shared).sample(feed);
}

}  // namespace

Connector connector() {
  return {
      .name = "sqlite",
      .settings = settings(),
      .target = target,
      .policy = [](const Part& part) -> const record::Policy& { return part.as<Options>().policy; },
      .make_sink =
          [](const Part& part, const SinkContext& context) {
            return make_sink(part.as<Options>(), context);
          },
      .open_ledger =
          [](const Part& part, const SinkContext& context) {
            return open_ledger(part.as<Options>(), context.owner);
          },
      .check = check,
      .sample = sample,
      .ddl = [](const Part&, const SinkContext&) { return ledger_ddl(); },
  };
}

}  // namespace semel::sqlite
