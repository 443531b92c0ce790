// A sink in a file of SQLite, and records for it, without Kafka.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contract/process.hpp"
#include "formats/formats.hpp"
#include "sqlite/options.hpp"
#include "sqlite/sqlite.hpp"
#include "support/sqlite_file.hpp"

namespace semel::test {

struct SqliteRig {
  SqliteFile file;
  sqlite::Options options;
  SinkContext context{.owner = contract::owner_named("a"), .format = formats::json()};
  std::unique_ptr<Sink> sink{};
  std::unique_ptr<SinkSession> session{};
  std::int64_t epoch = -1;
  Offset at = 0;

  explicit SqliteRig(const std::string& schema, record::ColumnRules columns = {}) : file(schema) {
    options.file = file.path();
    options.rows.table = "t";
    options.rows.columns = std::move(columns);
  }

  config::Part part() const { return config::Part::of(options); }
  Result<std::unique_ptr<Sink>> open() const {
    return sqlite::connector().make_sink(part(), context);
  }
  void start() {
    sink = contract::must(open());
    epoch = contract::must(sink->take_over("cluster")).epoch;
    contract::must(sink->enter(std::vector{Progress{.tp = contract::tp, .until = at}}));
    session = contract::must(sink->open_session());
  }
  /// One transaction, as an executor does it: what the table refuses is tried again with care.
  Result<CommitResult> store(const std::vector<std::string>& values) {
    if (!sink) start();
    auto done = attempt(values, false);
    if (!done && done.error().kind == ErrorKind::bad_data) done = attempt(values, true);
    if (done) at += static_cast<Offset>(values.size());
    return done;
  }
  Result<CommitResult> attempt(const std::vector<std::string>& values, bool isolate) {
    const auto until = at + static_cast<Offset>(values.size());
    Task task{.time = {1'000 + at}, .range = {contract::tp, at, until}, .epoch = epoch};
    task.isolate = isolate;
    auto begun = session->begin({&task, 1});
    if (!begun) return tl::unexpected(begun.error());
    REQUIRE_FALSE(*begun);
    std::vector<Record> records;
    for (const auto& value : values) {
      records.push_back({.offset = at + static_cast<Offset>(records.size()),
                         .timestamp_ms = 1'706'696'430'500,
                         .key = "k",
                         .value = value});
    }
    if (auto written = session->write(0, records); !written) {
      return tl::unexpected(written.error());
    }
    const RangeEnd end{RecordMark{until - 1, 0, 0}};
    return session->commit({&end, 1});
  }
};

}  // namespace semel::test
