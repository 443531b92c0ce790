// The guard of several ranges: all of their rows move, or the server refuses.
#include <fmt/format.h>

#include "base/ledger_names.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

/// What differs between one move of several ranges and the next, as SQL: arrays with an element for
/// each task, but for time and epoch.
struct BatchTerms {
  std::string topics, partitions, from, until, moved_by;
  std::string last_offsets, last_timestamps, last_checksums;
  std::string rows, dead_letters, ignored, suppressed;
  std::string time, epoch;
  std::string unchanged;  ///< " AND …"
};

constexpr std::string_view batch_types =
    "text[], integer[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], "
    "bigint[], bigint[], bigint[], bigint, bigint";

template <class Value>
std::string array_of(std::span<const Advance> advances, Value value) {
  std::string all = "'{";
  for (const auto& advance : advances) {
    if (all.size() > 2) all += ',';
    const std::optional<std::int64_t> one = value(advance);
    all += one ? fmt::to_string(*one) : "NULL";
  }
  return all + "}'";
}

BatchTerms batch_terms(std::span<const Advance> advances) {
  BatchTerms terms;
  for (const auto& advance : advances) {
    terms.topics += terms.topics.empty() ? "ARRAY[" : ",";
    terms.topics += quote_literal(advance.task->range.tp.topic);
    if (terms.unchanged.empty()) terms.unchanged = unchanged_sql(advance.tables);
  }
  terms.topics += "]";
  using Number = std::optional<std::int64_t>;
  const auto of_task = [&](auto value) {
    return array_of(advances, [&](const Advance& one) -> Number { return value(*one.task); });
  };
  const auto of_counts = [&](auto member) {
    return array_of(advances, [&](const Advance& one) -> Number {
      return static_cast<std::int64_t>(one.counts.*member);
    });
  };
  const auto of_last = [&](auto member) {
    return array_of(advances, [&](const Advance& one) -> Number {
      return one.last ? Number((*one.last).*member) : std::nullopt;
    });
  };
  terms.partitions = of_task([](const Task& task) { return task.range.tp.partition; });
  terms.from = of_task([](const Task& task) { return task.range.from; });
  terms.until = of_task([](const Task& task) { return task.range.until; });
  terms.moved_by = of_task(
      [](const Task& task) { return task.moved_by ? Number(task.moved_by->ms) : std::nullopt; });
  terms.last_offsets = of_last(&RecordMark::offset);
  terms.last_timestamps = of_last(&RecordMark::timestamp_ms);
  terms.last_checksums = of_last(&RecordMark::checksum);
  terms.rows = of_counts(&Committed::rows);
  terms.dead_letters = of_counts(&Committed::dead_letters);
  terms.ignored = of_counts(&Committed::ignored);
  terms.suppressed = of_counts(&Committed::suppressed);
  terms.time = fmt::to_string(advances.front().task->time.ms);
  terms.epoch = fmt::to_string(advances.front().task->epoch);
  return terms;
}

/// In the order of batch_types and of execute_batch_guard().
BatchTerms batch_parameters(const Table& table) {
  return {.topics = "$1",
          .partitions = "$2",
          .from = "$3",
          .until = "$4",
          .moved_by = "$5",
          .last_offsets = "$6",
          .last_timestamps = "$7",
          .last_checksums = "$8",
          .rows = "$9",
          .dead_letters = "$10",
          .ignored = "$11",
          .suppressed = "$12",
          .time = "$13",
          .epoch = "$14",
          .unchanged = unchanged_sql({&table})};
}

// Whose rows they are is said by columns, not by constants: of a ledger without statistics the
// server takes two constants for a handful of rows, and reads all partitions for each range.
std::string advance_batch_sql(const Shared& shared, const BatchTerms& terms) {
  return fmt::format(
      "WITH task AS (SELECT {pipeline}::text AS pipeline, {output}::text AS output, t.* FROM "
      "unnest({topics}::text[], {partitions}::integer[], "
      "{from}::bigint[], {until}::bigint[], {moved}::bigint[], {last_offsets}::bigint[], "
      "{last_timestamps}::bigint[], {last_checksums}::bigint[], {rows}::bigint[], "
      "{dead}::bigint[], {ignored}::bigint[], {suppressed}::bigint[]) AS t (topic, \"partition\", "
      "from_offset, until_offset, moved, last_offset, last_timestamp, last_checksum, rows, "
      "dead_letters, ignored, suppressed)), "
      "held AS (SELECT t.* FROM task t JOIN {progress} p ON p.pipeline = t.pipeline AND p.output = "
      "t.output AND p.topic = t.topic AND p.\"partition\" = t.\"partition\" ORDER BY p.topic, "
      "p.\"partition\" FOR NO KEY UPDATE OF p), "
      "moved AS (UPDATE {progress} p SET until_offset = h.until_offset, batch_time = {time}, "
      "last_offset = h.last_offset, last_timestamp = h.last_timestamp, last_checksum = "
      "h.last_checksum, moved_at = clock_timestamp() FROM held h WHERE p.pipeline = h.pipeline AND "
      "p.output = h.output AND p.topic = h.topic AND p.\"partition\" = h.\"partition\" AND "
      "p.until_offset = h.from_offset AND p.epoch = "
      "{epoch} AND p.owner = {owner} AND (h.moved IS NULL OR p.batch_time = h.moved){unchanged} "
      "RETURNING 1) "
      "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
      "from_offset, until_offset, kind, rows, dead_letters, ignored, suppressed, note, "
      "committed_at) SELECT t.pipeline, t.output, t.topic, t.\"partition\", {time}, {epoch}, "
      "t.from_offset, CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM task) THEN "
      "t.until_offset END, {kind}, t.rows, t.dead_letters, t.ignored, t.suppressed, NULL, "
      "clock_timestamp() FROM task t",
      fmt::arg("progress", shared.tables.progress), fmt::arg("commits", shared.tables.commits),
      fmt::arg("topics", terms.topics), fmt::arg("partitions", terms.partitions),
      fmt::arg("from", terms.from), fmt::arg("until", terms.until),
      fmt::arg("moved", terms.moved_by), fmt::arg("last_offsets", terms.last_offsets),
      fmt::arg("last_timestamps", terms.last_timestamps),
      fmt::arg("last_checksums", terms.last_checksums), fmt::arg("rows", terms.rows),
      fmt::arg("dead", terms.dead_letters), fmt::arg("ignored", terms.ignored),
      fmt::arg("suppressed", terms.suppressed), fmt::arg("time", terms.time),
      fmt::arg("epoch", terms.epoch), fmt::arg("owner", quote_literal(shared.owner.id)),
      fmt::arg("unchanged", terms.unchanged),
      fmt::arg("pipeline", quote_literal(shared.owner.pipeline)),
      fmt::arg("output", quote_literal(shared.owner.output)),
      fmt::arg("kind", quote_literal(kind_name(MoveKind::commit))));
}

}  // namespace

std::string advance_batch_statement(const Shared& shared, std::span<const Advance> advances) {
  return advance_batch_sql(shared, batch_terms(advances));
}

std::string prepare_batch_guard(const Shared& shared, const Table& table, const std::string& name) {
  return fmt::format("PREPARE {} ({}) AS {}", name, batch_types,
                     advance_batch_sql(shared, batch_parameters(table)));
}

std::string batch_guard_name(const Shared& shared) {
  return quote_identifier("semel_batch_" + shared.owner.id);
}

std::string execute_batch_guard(std::span<const Advance> advances, const std::string& name) {
  const auto terms = batch_terms(advances);
  return fmt::format("EXECUTE {} ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})", name,
                     terms.topics, terms.partitions, terms.from, terms.until, terms.moved_by,
                     terms.last_offsets, terms.last_timestamps, terms.last_checksums, terms.rows,
                     terms.dead_letters, terms.ignored, terms.suppressed, terms.time, terms.epoch);
}

}  // namespace semel::postgres
