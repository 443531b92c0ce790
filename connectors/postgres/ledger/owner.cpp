#include "postgres/ledger/owner.hpp"
#include "base/ledger_names.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <set>

#include "base/clean_text.hpp"
#include "base/crash_point.hpp"
#include "postgres/client/backends.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/ledger/history.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr int take_over_attempts = 5;
// Rows of one partition that are trimmed in one message: its locks and its time are bounded.
constexpr int trimmed_at_once = 200;
// The same of dead letters, which may be large.
constexpr int letters_at_once = 1'000;
constexpr std::size_t reason_bytes_max = 500;

/// `statements` in one message and one transaction.
std::string in_transaction(const Shared& shared, const std::string& statements) {
  return ledger_begin(shared) + statements + ";COMMIT";
}

std::string progress_query(const Shared& shared) {
  return fmt::format(
      "SELECT topic, \"partition\", until_offset, batch_time, last_offset, last_timestamp, "
      "last_checksum FROM {} WHERE {} ORDER BY topic, \"partition\"",
      shared.tables.progress, mine(shared));
}

std::vector<Progress> read_progress(const Rows& rows) {
  std::vector<Progress> all;
  for (int row = 0; row < rows.size(); ++row) {
    Progress progress{.tp = {rows.text(row, 0), static_cast<std::int32_t>(rows.number(row, 1))},
                      .until = rows.number(row, 2),
                      .batch_time = {rows.number(row, 3)},
                      .last = std::nullopt};
    if (!rows.is_null(row, 4)) {
      progress.last = RecordMark{rows.number(row, 4), rows.number(row, 5),
                                 static_cast<std::uint32_t>(rows.number(row, 6))};
    }
    all.push_back(std::move(progress));
  }
  return all;
}

std::string taken_over_query(const Shared& shared) {
  return fmt::format(
      "SELECT pg_is_in_recovery();{5};"
      "SELECT greatest((SELECT max(batch_time) FROM {0} WHERE {1}), (SELECT max((SELECT "
      "max(c.batch_time) FROM {2} c WHERE {3} AND c.topic = k.topic AND c.\"partition\" = "
      "k.\"partition\")) FROM {4} k), 0)",
      shared.tables.progress, mine(shared), shared.tables.commits, mine(shared, "c."),
      history_partitions(shared.tables, shared.owner), progress_query(shared));
}

Result<void> read_taken_over(Connection& connection, const Shared& shared, TakenOver& taken) {
  auto reply = connection.run(taken_over_query(shared), "reading the ledger after the take-over");
  if (!reply) return tl::unexpected(reply.error());
  if (reply->table(0).flag(0, 0)) {
    return fail(ErrorKind::unavailable, Cause::sink, "PostgreSQL answers as a standby");
  }
  taken.progress = read_progress(reply->table(1));
  taken.highest_batch_time = {reply->table(2).number(0, 0)};
  return {};
}

}  // namespace

std::string ledger_begin(const Shared& shared) {
  // The session's own name is as old as the session, which looked for the ledger; a proxy shows
  // another one.
  const auto name = shared.name.full.empty() ? std::string()
                                             : fmt::format("SET LOCAL application_name = {};",
                                                           quote_literal(shared.name.full));
  return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;" + name +
         "SET LOCAL lock_timeout = '2s';"
         "SET LOCAL statement_timeout = '20s';"
         "SELECT set_config('synchronous_commit', 'on', true) "
         "WHERE current_setting('synchronous_commit') = 'off';";
}

std::string others_before(const Shared& shared) {
  return or_named(others_of_output(shared.name.prefix, shared.name.full),
                  fmt::format("(SELECT o.application_name FROM {} o WHERE {})",
                              shared.tables.owners, mine(shared, "o.")),
                  shared.name.full);
}

std::string take_over_statements(const Shared& shared, const std::string& cluster_id) {
  return fmt::format(
      "INSERT INTO {owners} (pipeline, output, epoch, owner, description, application_name, since, "
      "seen_at, cluster_id) VALUES ({pipeline}, {output}, 0, '', '', '', clock_timestamp(), "
      "clock_timestamp(), '') ON CONFLICT DO NOTHING;"
      "SELECT owner, description, application_name, cluster_id FROM {owners} WHERE {mine} "
      "FOR UPDATE;"
      "UPDATE {owners} SET epoch = epoch + 1, owner = {id}, description = {description}, "
      "application_name = {name}, since = clock_timestamp(), seen_at = clock_timestamp(), "
      "state = '{running}', state_reason = NULL, heartbeat_ms = {heartbeat}, topics = {topics}, "
      "target = {target}, target_oid = {oid}, mapping = {mapping}, cluster_id = {cluster} "
      "WHERE {mine} AND cluster_id IN ('', {cluster});"
      // In (topic, partition) order, as everybody locks them.
      "SELECT 1 FROM {progress} WHERE {mine} ORDER BY topic, \"partition\" FOR UPDATE;"
      "UPDATE {progress} p SET epoch = o.epoch, owner = {id} FROM {owners} o WHERE {mine_o} AND "
      "o.owner = {id} AND {mine_p};"
      "SELECT epoch FROM {owners} WHERE {mine}",
      fmt::arg("owners", shared.tables.owners), fmt::arg("progress", shared.tables.progress),
      fmt::arg("mine", mine(shared)), fmt::arg("mine_o", mine(shared, "o.")),
      fmt::arg("mine_p", mine(shared, "p.")),
      fmt::arg("pipeline", quote_literal(shared.owner.pipeline)),
      fmt::arg("output", quote_literal(shared.owner.output)),
      fmt::arg("id", quote_literal(shared.owner.id)),
      fmt::arg("description", quote_literal(shared.owner.description)),
      fmt::arg("name", quote_literal(shared.name.full)), fmt::arg("running", state_running),
      fmt::arg("heartbeat", shared.owner.heartbeat_ms),
      fmt::arg("topics", quote_literal(shared.job.topics)),
      fmt::arg("target", quote_literal(shared.job.target)), fmt::arg("oid", shared.job.target_oid),
      fmt::arg("mapping", quote_literal(shared.job.mapping)),
      fmt::arg("cluster", quote_literal(cluster_id)));
}

std::string enter_statements(const Shared& shared, std::int64_t epoch,
                             std::span<const Progress> starts) {
  std::string values;
  for (const auto& start : starts) {
    if (!values.empty()) values += ", ";
    std::string mark = "NULL::bigint, NULL::bigint, NULL::bigint";
    if (start.last) {
      mark = fmt::format("{}, {}, {}", start.last->offset, start.last->timestamp_ms,
                         start.last->checksum);
    }
    values += fmt::format("({}, {}, {}::bigint, {}::bigint, {})", quote_literal(start.tp.topic),
                          start.tp.partition, start.until, start.batch_time.ms, mark);
  }
  return fmt::format(
      "WITH owned AS (SELECT epoch, owner FROM {owners} WHERE {mine} AND epoch = {epoch} AND "
      "owner = {id} FOR SHARE), "
      "entered AS (INSERT INTO {progress} (pipeline, output, topic, \"partition\", until_offset, "
      "epoch, owner, batch_time, last_offset, last_timestamp, last_checksum, moved_at) "
      "SELECT {pipeline}, {output}, v.topic, v.p, v.position, o.epoch, o.owner, "
      // Behind whatever the history holds of the partition: the chain stays in order.
      "greatest(v.batch_time, (SELECT max(c.batch_time) FROM {commits} c WHERE {mine_c} AND "
      "c.topic "
      "= v.topic AND c.\"partition\" = v.p)), "
      "v.last_offset, v.last_timestamp, v.last_checksum, clock_timestamp() "
      "FROM owned o, (VALUES {values}) AS v (topic, p, position, batch_time, last_offset, "
      "last_timestamp, last_checksum) ORDER BY v.topic, v.p ON CONFLICT DO NOTHING "
      "RETURNING topic, \"partition\", until_offset, epoch, batch_time) "
      "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
      "from_offset, until_offset, kind, rows, dead_letters, committed_at) "
      "SELECT {pipeline}, {output}, topic, \"partition\", batch_time, epoch, until_offset, "
      "until_offset, '{kind}', 0, 0, clock_timestamp() FROM entered;"
      "{entry};{all}",
      fmt::arg("owners", shared.tables.owners), fmt::arg("progress", shared.tables.progress),
      fmt::arg("commits", shared.tables.commits), fmt::arg("mine", mine(shared)),
      fmt::arg("mine_c", mine(shared, "c.")), fmt::arg("epoch", epoch),
      fmt::arg("id", quote_literal(shared.owner.id)),
      fmt::arg("pipeline", quote_literal(shared.owner.pipeline)),
      fmt::arg("output", quote_literal(shared.owner.output)), fmt::arg("values", values),
      fmt::arg("kind", kind_name(MoveKind::start)), fmt::arg("entry", entry_query(shared)),
      fmt::arg("all", progress_query(shared)));
}

std::string keep_alive_statements(const Shared& shared, std::int64_t epoch) {
  return fmt::format(
      "UPDATE {} SET seen_at = clock_timestamp() WHERE {} AND epoch = {} AND owner = {};{};{}",
      shared.tables.owners, mine(shared), epoch, quote_literal(shared.owner.id),
      entry_query(shared), progress_query(shared));
}

std::string goodbye_statement(const Shared& shared, std::int64_t epoch,
                              const std::optional<std::string>& failure) {
  return fmt::format(
      "UPDATE {} SET application_name = '', seen_at = clock_timestamp(), state = '{}', "
      "state_reason = {} WHERE {} AND epoch = {} AND owner = {}",
      shared.tables.owners, failure ? state_failed : state_stopped,
      failure ? quote_literal(sanitise(*failure, reason_bytes_max, true)) : "NULL", mine(shared),
      epoch, quote_literal(shared.owner.id));
}

std::string trim_statement(const Shared& shared) {
  // Per partition only a beginning of the chain goes, whatever the clock did: of its oldest rows
  // those before the first that is young enough, and never the newest.
  return fmt::format(
      "DELETE FROM {commits} WHERE ctid = ANY (ARRAY(SELECT old.ctid FROM {partitions} k, LATERAL ("
      "SELECT c.ctid, c.batch_time, bool_or(c.committed_at >= clock_timestamp() - interval "
      "'{hours} hours') OVER (ORDER BY c.batch_time, c.epoch, c.from_offset) AS young "
      "FROM {commits} c WHERE {mine_c} AND c.topic = k.topic AND c.\"partition\" = k.\"partition\" "
      "ORDER BY c.batch_time, c.epoch, c.from_offset LIMIT {at_once}) old WHERE NOT old.young AND "
      "old.batch_time < (SELECT max(c.batch_time) FROM {commits} c WHERE {mine_c} AND c.topic = "
      "k.topic AND c.\"partition\" = k.\"partition\")))",
      fmt::arg("commits", shared.tables.commits), fmt::arg("mine_c", mine(shared, "c.")),
      fmt::arg("hours", shared.options.keep_commits_hours), fmt::arg("at_once", trimmed_at_once),
      fmt::arg("partitions", history_partitions(shared.tables, shared.owner)));
}

std::string alive_condition(std::string_view alias, std::string_view heartbeat_ms) {
  // Five missed beats are no hiccup any more. One of before says nothing of its own: three seconds.
  return fmt::format(
      "({0}application_name <> '' AND {0}seen_at > clock_timestamp() - 5 * coalesce({1}, 3000) * "
      "interval '1 millisecond')",
      alias, heartbeat_ms);
}

Result<TakenOver> take_over(Connection& connection, const Shared& shared,
                            const std::string& cluster_id) {
  const auto doing = fmt::format("taking over pipeline {}", shared.owner.pipeline);
  // Whoever is in the row is one of them, whatever it calls itself: a semel of before, perhaps.
  const auto named_before = others_before(shared);
  Reply reply;
  for (int attempt = 1;; ++attempt) {
    reply = connection.exchange(in_transaction(shared, take_over_statements(shared, cluster_id)));
    if (reply.ok()) break;
    const bool locked = reply.error && reply.error->sqlstate == "55P03";
    if (reply.lost || !connection.roll_back() || !locked || attempt == take_over_attempts) {
      return tl::unexpected(to_error(reply, doing));
    }
    // No message of ours keeps these locks for long: whoever does is stuck.
    auto ended = end_backends(connection, named_before);
    if (!ended) return tl::unexpected(ended.error());
  }
  if (reply.last_tag() != "COMMIT") {
    return fail(ErrorKind::retriable, Cause::sink,
                fmt::format("PostgreSQL answered {} while {}", reply.last_tag(), doing));
  }
  // A settings row may come first: the tables are counted from the end.
  std::vector<const Rows*> tables;
  for (const auto& rows : reply.results) {
    if (rows.is_table()) tables.push_back(&rows);
  }
  const auto& before = *tables[tables.size() - 3];
  TakenOver taken{.epoch = tables.back()->number(0, 0), .cluster_id = before.text(0, 3)};
  if (!taken.cluster_id.empty() && taken.cluster_id != cluster_id) return taken;
  if (before.text(0, 0) != shared.owner.id && !before.view(0, 2).empty()) {
    taken.previous_owner = before.text(0, 1);
  }

  const auto others = or_named(others_of_output(shared.name.prefix, shared.name.full),
                               quote_literal(before.view(0, 2)), shared.name.full);
  crash_point(CrashPoint::fenced);
  // Not all others: only as long as nobody has taken over from us in the meantime.
  auto ended = end_backends(
      connection,
      fmt::format("({}) AND EXISTS (SELECT 1 FROM {} o WHERE {} AND o.owner = {})", others,
                  shared.tables.owners, mine(shared, "o."), quote_literal(shared.owner.id)));
  if (!ended) return tl::unexpected(ended.error());
  if (!ended->all_gone()) taken.notes.push_back(describe_left(*ended));
  if (auto read = read_taken_over(connection, shared, taken); !read) {
    return tl::unexpected(read.error());
  }
  return taken;
}

Result<EnterResult> enter(Connection& connection, const Shared& shared, std::int64_t epoch,
                          std::span<const Progress> starts) {
  if (starts.empty()) return std::vector<Progress>{};
  const auto reply =
      connection.exchange(in_transaction(shared, enter_statements(shared, epoch, starts)));
  if (!reply.ok() || reply.last_tag() != "COMMIT") {
    connection.roll_back();
    return tl::unexpected(to_error(reply, "entering partitions into the ledger"));
  }
  auto entry = read_entry(*(reply.results.end() - 3), shared);
  if (!entry) return tl::unexpected(entry.error());
  if (entry->epoch != epoch || entry->owner != shared.owner.id)
    return Refused{*std::move(entry), 0};
  std::set<TopicPartition> asked;
  for (const auto& start : starts) asked.insert(start.tp);
  auto entered = read_progress(*(reply.results.end() - 2));
  std::erase_if(entered, [&](const Progress& progress) { return !asked.contains(progress.tp); });
  return entered;
}

Result<Alive> keep_alive(Connection& connection, const Shared& shared, std::int64_t epoch) {
  const auto reply =
      connection.exchange(in_transaction(shared, keep_alive_statements(shared, epoch)));
  if (!reply.ok() || reply.last_tag() != "COMMIT") {
    connection.roll_back();
    return tl::unexpected(to_error(reply, "telling the ledger that we are alive"));
  }
  auto entry = read_entry(*(reply.results.end() - 3), shared);
  if (!entry) return tl::unexpected(entry.error());
  return Alive{*std::move(entry), read_progress(*(reply.results.end() - 2))};
}

void say_goodbye(Connection& connection, const Shared& shared, std::int64_t epoch,
                 const std::optional<std::string>& failure) noexcept try {
  connection.exchange(in_transaction(shared, goodbye_statement(shared, epoch, failure)),
                      std::chrono::milliseconds(2'000));
} catch (const std::exception& error) {
  shared.options.log.debug("the owner's row does not say how it ended: {}", error.what());
}

namespace {

/// How many rows a statement removes.
Result<int> remove(Connection& connection, const Shared& shared, const std::string& statement,
                   const std::string& doing) {
  const auto reply = connection.exchange(in_transaction(shared, statement));
  if (!reply.ok()) {
    connection.roll_back();
    return tl::unexpected(to_error(reply, doing));
  }
  // "DELETE 200"
  const auto tag = (reply.results.end() - 2)->tag();
  int removed = 0;
  std::from_chars(tag.data() + tag.find(' ') + 1, tag.data() + tag.size(), removed);
  return removed;
}

}  // namespace

Result<bool> trim(Connection& connection, const Shared& shared) {
  if (shared.options.keep_commits_hours <= 0) return false;
  const auto removed = remove(connection, shared, trim_statement(shared), "trimming the history");
  if (!removed) return tl::unexpected(removed.error());
  return *removed >= trimmed_at_once;
}

Result<bool> trim_letters(Connection& connection, const Shared& shared) {
  const auto hours = shared.options.keep_dead_letters_hours;
  if (hours <= 0) return false;
  const auto removed =
      remove(connection, shared,
             fmt::format("DELETE FROM {0} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE {1} "
                         "AND failed_at < clock_timestamp() - interval '{2} hours' LIMIT {3}))",
                         shared.tables.dead_letters, mine(shared), hours, letters_at_once),
             "removing old dead letters");
  if (!removed) return tl::unexpected(removed.error());
  if (*removed > 0) {
    shared.options.log.warn(
        "{} dead letter{} older than {} hours {} removed ({}): what they held is in no table",
        *removed, *removed == 1 ? "" : "s", hours, *removed == 1 ? "was" : "were",
        shared.options.names("sink.postgres.ledger.keep_dead_letters"));
  }
  return *removed >= letters_at_once;
}

}  // namespace semel::postgres
