#include "postgres/table/guard.hpp"

#include <fmt/format.h>

#include "base/clean_text.hpp"
#include "base/ledger_names.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/catalog.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view not_a_number = "22P02";

std::string key(const Shared& shared, const TopicPartition& tp, std::string_view alias = "") {
  return fmt::format("{0} AND {1}topic = {2} AND {1}\"partition\" = {3}", mine(shared, alias),
                     alias, quote_literal(tp.topic), tp.partition);
}

std::string set_mark(const std::optional<RecordMark>& last) {
  return last ? fmt::format("last_offset = {}, last_timestamp = {}, last_checksum = {}",
                            last->offset, last->timestamp_ms, last->checksum)
              : "last_offset = NULL, last_timestamp = NULL, last_checksum = NULL";
}

}  // namespace

std::string mine(const Owner& owner, std::string_view alias) {
  return fmt::format("{0}pipeline = {1} AND {0}output = {2}", alias, quote_literal(owner.pipeline),
                     quote_literal(owner.output));
}

std::string mine(const Shared& shared, std::string_view alias) {
  return mine(shared.owner, alias);
}

std::string_view pinned_settings() {
  // Not TimeZone: whatever we send says its zone, and defaults and triggers see the role's.
  return "SET LOCAL DateStyle = 'ISO, MDY';SET LOCAL IntervalStyle = 'postgres';"
         "SET LOCAL array_nulls = on;SET LOCAL xmloption = content;SET LOCAL lc_monetary = 'C';"
         "SET LOCAL extra_float_digits = 1;";
}

std::string unlimited(std::string_view setting) {
  return fmt::format(
      "CASE WHEN current_setting('{0}', true) IS NOT NULL THEN set_config('{0}', '0', true) END",
      setting);
}

std::string begin_message(const Shared& shared) {
  const auto& options = shared.options;
  auto sql = fmt::format(
      "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;SAVEPOINT semel;"
      "SET LOCAL application_name = {};SET LOCAL client_encoding = 'UTF8';"
      "SET LOCAL standard_conforming_strings = on;{}",
      quote_literal(shared.name.full), pinned_settings());
  if (options.statement_timeout_ms > 0) {
    sql += fmt::format("SET LOCAL statement_timeout = {};", options.statement_timeout_ms);
  }
  // The server's or role's own synchronous_commit stays (remote_apply, for example), but "off" does
  // not: a COMMIT that was answered has to survive a crash of the server.
  const auto* durable = options.synchronous_commit
                            ? "CASE WHEN current_setting('synchronous_commit') = 'off' "
                              "THEN set_config('synchronous_commit', 'on', true) END"
                            : "set_config('synchronous_commit', 'off', true)";
  // While semel waits for records from Kafka, this transaction is idle: these limits would end it,
  // at each try anew.
  return sql + fmt::format("SELECT pg_backend_pid(), {}, {}, {}", durable,
                           unlimited("idle_in_transaction_session_timeout"),
                           unlimited("transaction_timeout"));
}

std::string begin_rows_message(const Shared& shared) {
  // A session that was opened after a take-over looked for sessions to end must not hold the new
  // owner up with locks of a table or of rows that the guard would refuse. So the server refuses
  // before it looks at what follows in the message. The session has its name by then, in a
  // statement before: who looks for sessions finds it, or it finds him. A number that is none is
  // the shortest way to an error with a reason in it; max(), so that there is a row in any case.
  return begin_message(shared) +
         fmt::format(
             ", (SELECT CASE WHEN max(owner) = {} THEN 0 ELSE ('fenced by owner ' || "
             "coalesce(max(owner), 'none'))::integer END FROM {} WHERE {})",
             quote_literal(shared.owner.id), shared.tables.owners, mine(shared));
}

bool is_fenced(const Reply& reply) {
  return reply.error && reply.error->sqlstate == not_a_number && reply.tables() == 0;
}

namespace {

/// What differs between one move of the ledger and the next, as SQL.
struct Terms {
  std::string topic, partition, time, epoch, from, until;
  std::string mark;  ///< as set_mark() has it
  std::string rows, dead_letters, ignored, suppressed;
  std::string kind, note;
  std::string condition;  ///< " AND …": what else must hold
  /// What the history says of where the ledger stands now; fails where it did not move.
  std::string stands = "(SELECT until_offset FROM moved)";
  std::string beside{};  ///< ", name AS (…)": statements beside it
};

std::string at_batch_time(const std::string& batch_time) {
  return " AND batch_time = " + batch_time;
}

Terms literals(const Advance& advance) {
  const auto& task = *advance.task;
  const auto& range = task.range;
  const bool lost = task.kind == TaskKind::lost;
  return {.topic = quote_literal(range.tp.topic),
          .partition = fmt::to_string(range.tp.partition),
          .time = fmt::to_string(task.time.ms),
          .epoch = fmt::to_string(task.epoch),
          .from = fmt::to_string(range.from),
          .until = fmt::to_string(range.until),
          .mark = set_mark(advance.last),
          .rows = fmt::to_string(advance.counts.rows),
          .dead_letters = fmt::to_string(advance.counts.dead_letters),
          .ignored = fmt::to_string(advance.counts.ignored),
          .suppressed = fmt::to_string(advance.counts.suppressed),
          .kind = quote_literal(kind_name(lost ? MoveKind::lost : MoveKind::commit)),
          .note = lost ? quote_literal(sanitise(task.reason, 1'000, true)) : "NULL",
          .condition = (task.moved_by ? at_batch_time(fmt::to_string(task.moved_by->ms)) : "") +
                       unchanged_sql(advance.tables)};
}

constexpr std::string_view prepared_types =
    "text, integer, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, "
    "bigint, bigint, bigint";

/// In the order of prepared_types and of execute_guard().
Terms parameters(const Table& table) {
  return {.topic = "$1",
          .partition = "$2",
          .time = "$3",
          .epoch = "$4",
          .from = "$5",
          .until = "$6",
          .mark = "last_offset = $7, last_timestamp = $8, last_checksum = $9",
          .rows = "$10",
          .dead_letters = "$11",
          .ignored = "$12",
          .suppressed = "$13",
          .kind = quote_literal(kind_name(MoveKind::commit)),
          .note = "NULL",
          .condition = at_batch_time("$14") + unchanged_sql({&table})};
}

std::string advance_sql(const Shared& shared, const Terms& terms) {
  return fmt::format(
      "WITH moved AS (UPDATE {progress} SET until_offset = {until}, batch_time = {time}, "
      "{mark}, "
      "moved_at = clock_timestamp() WHERE {mine} AND topic = {topic} AND \"partition\" = "
      "{partition} AND until_offset = {from} AND epoch = {epoch} AND owner = {owner}{condition} "
      "RETURNING until_offset){beside} "
      "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
      "from_offset, until_offset, kind, rows, dead_letters, ignored, suppressed, note, "
      "committed_at) VALUES "
      "({pipeline}, {output}, {topic}, {partition}, {time}, {epoch}, {from}, "
      "{stands}, {kind}, {rows}, {dead}, {ignored}, {suppressed}, {note}, "
      "clock_timestamp())",
      fmt::arg("progress", shared.tables.progress), fmt::arg("commits", shared.tables.commits),
      fmt::arg("mine", mine(shared)), fmt::arg("topic", terms.topic),
      fmt::arg("partition", terms.partition), fmt::arg("from", terms.from),
      fmt::arg("until", terms.until), fmt::arg("time", terms.time), fmt::arg("epoch", terms.epoch),
      fmt::arg("owner", quote_literal(shared.owner.id)), fmt::arg("condition", terms.condition),
      fmt::arg("mark", terms.mark), fmt::arg("pipeline", quote_literal(shared.owner.pipeline)),
      fmt::arg("output", quote_literal(shared.owner.output)), fmt::arg("kind", terms.kind),
      fmt::arg("rows", terms.rows), fmt::arg("dead", terms.dead_letters),
      fmt::arg("ignored", terms.ignored), fmt::arg("suppressed", terms.suppressed),
      fmt::arg("note", terms.note), fmt::arg("stands", terms.stands),
      fmt::arg("beside", terms.beside));
}

/// A text that ends the statement, and with it the transaction, as an error that says who owns the
/// output now and where it stands. A text that is no number: the shortest way to an error with a
/// reason in it. Not a constant, or the server would evaluate it while it plans.
std::string refuse_aloud(const Shared& shared, const Task& task, const std::string& here) {
  return fmt::format(
      "coalesce((SELECT until_offset FROM moved), (SELECT {what} || CASE WHEN NOT {here} THEN "
      "'begin_sql() of this range was not run in this transaction' ELSE coalesce(max(CASE WHEN "
      "o.owner <> {id} OR o.epoch <> {epoch} THEN 'fenced by ' || o.description || ' (epoch ' || "
      "o.epoch || ')' ELSE 'the ledger stands at ' || coalesce((SELECT p.until_offset || ' since "
      "batch ' || p.batch_time FROM {progress} p WHERE {key}), 'nothing') || ': it was committed "
      "already, or is just being' END), 'the ledger does not know the pipeline') END FROM {owners} "
      "o "
      "WHERE {mine})::bigint)",
      fmt::arg("what", quote_literal(fmt::format("semel refuses {}: ", to_string(task.range)))),
      fmt::arg("here", here), fmt::arg("id", quote_literal(shared.owner.id)),
      fmt::arg("epoch", task.epoch), fmt::arg("progress", shared.tables.progress),
      fmt::arg("key", key(shared, task.range.tp, "p.")), fmt::arg("owners", shared.tables.owners),
      fmt::arg("mine", mine(shared, "o.")));
}

}  // namespace

std::string advance_aloud(const Shared& shared, const Advance& advance, const std::string& begun_as,
                          const std::string& beside) {
  auto terms = literals(advance);
  const auto here = fmt::format("coalesce(current_setting('semel.range', true), '') = {}",
                                quote_literal(begun_as));
  terms.condition += " AND " + here;
  terms.stands = refuse_aloud(shared, *advance.task, here);
  terms.beside = beside;
  return advance_sql(shared, terms);
}

std::string advance_statement(const Shared& shared, const Advance& advance) {
  return advance_sql(shared, literals(advance));
}

std::string prepare_guard(const Shared& shared, const Table& table, const std::string& name) {
  return fmt::format("PREPARE {} ({}) AS {}", name, prepared_types,
                     advance_sql(shared, parameters(table)));
}

std::string guard_name(const Shared& shared) {
  return quote_identifier("semel_guard_" + shared.owner.id);
}

bool fits_prepared(const Advance& advance) {
  return advance.task->kind == TaskKind::load && advance.task->moved_by &&
         advance.tables.size() == 1 && advance.last;
}

std::string execute_guard(const Advance& advance, const std::string& name) {
  const auto& task = *advance.task;
  const auto& range = task.range;
  return fmt::format("EXECUTE {} ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})", name,
                     quote_literal(range.tp.topic), range.tp.partition, task.time.ms, task.epoch,
                     range.from, range.until, advance.last->offset, advance.last->timestamp_ms,
                     advance.last->checksum, advance.counts.rows, advance.counts.dead_letters,
                     advance.counts.ignored, advance.counts.suppressed, task.moved_by->ms);
}

std::string final_message(const std::string& advance) {
  // Deferred constraints are asked before the ledger's row is locked: they may take their time, and
  // what they refuse is a definite answer.
  return "RELEASE SAVEPOINT semel;SET CONSTRAINTS ALL IMMEDIATE;" + advance + ";COMMIT";
}

std::string complete_statement(const Shared& shared, const Advance& advance) {
  const auto& task = *advance.task;
  const auto where = key(shared, task.range.tp);
  return fmt::format(
      "UPDATE {} SET {} WHERE {} AND until_offset = {} AND epoch = {} AND owner = {};"
      "UPDATE {} SET rows = {}, dead_letters = {}, ignored = {}, suppressed = {} WHERE {} AND "
      "batch_time = {} AND epoch = {} AND from_offset = {}",
      shared.tables.progress, set_mark(advance.last), where, task.range.until, task.epoch,
      quote_literal(shared.owner.id), shared.tables.commits, advance.counts.rows,
      advance.counts.dead_letters, advance.counts.ignored, advance.counts.suppressed, where,
      task.time.ms, task.epoch, task.range.from);
}

bool is_refusal(const ServerError& error, const LedgerTables& tables) {
  return error.sqlstate == "23502" && error.table == tables.commits_name &&
         error.schema == tables.schema && error.column == "until_offset";
}

namespace {

// What read_entry() reads, but for the progress.
constexpr std::string_view entry_of_owner =
    "coalesce(o.epoch, -1), coalesce(o.owner, ''), coalesce(o.description, ''), "
    "coalesce(to_char(o.since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')";

}  // namespace

std::string entry_query(const Shared& shared) {
  return fmt::format(
      "SELECT pg_is_in_recovery(), NULL, {}, 0 FROM (SELECT 1) AS one LEFT JOIN {} o ON {}",
      entry_of_owner, shared.tables.owners, mine(shared, "o."));
}

Result<LedgerEntry> read_entry(const Rows& rows, const Shared& shared, std::size_t row) {
  if (rows.flag(row, 0)) {
    return fail(ErrorKind::unavailable, Cause::sink,
                fmt::format("PostgreSQL answers as a standby: its ledger may be behind the "
                            "primary's. Put the primary into {}, or several hosts",
                            shared.options.names("sink.postgres.dsn")));
  }
  return LedgerEntry{.until = rows.optional_number(row, 1),
                     .epoch = rows.number(row, 2),
                     .owner = rows.text(row, 3),
                     .owner_description = rows.text(row, 4),
                     .since = rows.text(row, 5),
                     .batch_time = {rows.number(row, 6)}};
}

Result<std::vector<LedgerEntry>> ask_entries(Connection& connection, const Shared& shared,
                                             std::span<const Task> tasks) {
  std::string wanted;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto& tp = tasks[i].range.tp;
    wanted +=
        fmt::format("{}({}, {}, {})", i == 0 ? "" : ", ", i, quote_literal(tp.topic), tp.partition);
  }
  auto reply = connection.run(
      fmt::format("SELECT pg_is_in_recovery(), p.until_offset, {}, coalesce(p.batch_time, 0) FROM "
                  "(VALUES {}) AS w (place, topic, \"partition\") LEFT JOIN {} o ON {} LEFT JOIN "
                  "{} p ON {} AND p.topic = w.topic AND p.\"partition\" = w.\"partition\" ORDER "
                  "BY w.place",
                  entry_of_owner, wanted, shared.tables.owners, mine(shared, "o."),
                  shared.tables.progress, mine(shared, "p.")),
      fmt::format("reading the ledger of {}", to_string(tasks.front().range.tp)));
  if (!reply) return tl::unexpected(reply.error());
  std::vector<LedgerEntry> entries;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    auto entry = read_entry(reply->table(0), shared, i);
    if (!entry) return tl::unexpected(entry.error());
    entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace semel::postgres
