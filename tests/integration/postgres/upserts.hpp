// Keyed records for a sink with write = "upsert".
#pragma once

#include <fmt/format.h>

#include "integration/postgres/rig.hpp"

namespace semel::test {

struct KeyedMessage {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

using History = std::vector<KeyedMessage>;

/// A range of the log as one task; isolating after bad data, as the engine does it.
inline Committed put_range(Writer& writer, const History& log, Offset from, Offset until,
                           bool isolate = false) {
  auto task = writer.task(from, until);
  task.isolate = isolate;
  const auto attempt = [&]() -> Result<CommitResult> {
    writer.moved_by.reset();
    auto begun = writer.begin(task);
    if (!begun) return tl::unexpected(begun.error());
    if (*begun) return **begun;
    std::vector<Record> records;
    for (Offset o = from; o < until; ++o) {
      const auto& message = log[static_cast<std::size_t>(o)];
      records.push_back({.offset = o, .timestamp_ms = o});
      if (message.key) records.back().key = *message.key;
      if (message.value) records.back().value = *message.value;
    }
    if (auto written = writer.in_session().write(0, records); !written) {
      return tl::unexpected(written.error());
    }
    return writer.commit(mark_of(records.back()));
  };
  auto result = attempt();
  for (int failures = 1; !result && failures < 4; ++failures) {
    INFO(result.error().message);
    REQUIRE(result.error().kind != ErrorKind::fatal);
    writer.in_session().abort();
    task.isolate = task.isolate || result.error().kind == ErrorKind::bad_data;
    task.last_resort = failures == 3;
    result = attempt();
  }
  writer.moved_by = task.time;
  return committed(std::move(result));
}

inline Committed put_range(Writer& writer, const History& log) {
  return put_range(writer, log, 0, static_cast<Offset>(log.size()));
}

inline postgres::Options upserting(const Database& database) {
  auto options = database.options();
  options.write = postgres::Write::upsert;
  return options;
}

inline KeyedMessage keyed(const std::string& key, const std::string& members) {
  return {.key = key, .value = fmt::format(R"({{"id": {}, {}}})", key, members)};
}

inline std::string rows_of_t(const Database& database, const std::string& columns = "id, v") {
  return database.value(fmt::format(
      "SELECT coalesce(string_agg((t.*)::text, ' ' ORDER BY id), '') FROM (SELECT {} FROM t) t",
      columns));
}

/// What a sink of these options is refused with, for good.
inline std::string refusal_of(const postgres::Options& options) {
  const auto made = postgres::make_sink(options, {"pipe", "out", "x", "x"});
  REQUIRE_FALSE(made);
  CHECK(made.error().kind == ErrorKind::fatal);
  return made.error().message;
}

}  // namespace semel::test
