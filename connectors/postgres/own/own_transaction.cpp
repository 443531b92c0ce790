#include "postgres/own/own_transaction.hpp"

#include <fmt/format.h>
#include <utility>

#include <semel/postgres.hpp>

#include "base/clean_text.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";
// For people, by the paths of a file's settings.
constexpr SettingNames::Name names_of_a_program[] = {
    {"sink.postgres.dsn", "the DSN given to postgres::ledger()"},
    {"[sink.postgres]", "postgres::LedgerOptions"},
    {"sink.postgres.ledger.schema", "postgres::LedgerOptions::schema"},
    {"sink.postgres.ledger.create", "postgres::LedgerOptions::create"},
    {"sink.postgres.connect_timeout", "postgres::LedgerOptions::connect_timeout_ms"},
    {"sink.postgres.statement_timeout",
     "statement_timeout in the options of the DSN given to postgres::ledger()"},
    {"batch.max_records_per_partition", "ConsumerOptions::max_records_per_range"},
};

// What is written into the column for codes where the program itself called a record bad.
constexpr std::string_view by_the_program = "";

const LedgerOfOurs& ledger_of(const Range& range) {
  if (const auto* ours = dynamic_cast<const LedgerOfOurs*>(&range.ledger())) return *ours;
  throw Failed({ErrorKind::fatal, Cause::configuration,
                "the ledger of this range is none of PostgreSQL: make the consumer with "
                "postgres::ledger()"});
}

/// Right in every encoding and with every setting of how strings are read.
void append_bytes(std::string& sql, std::string_view bytes) {
  sql += "decode('";
  for (const char c : bytes) {
    sql += hexadecimal[static_cast<unsigned char>(c) >> 4U];
    sql += hexadecimal[static_cast<unsigned char>(c) & 15U];
  }
  sql += "', 'hex')";
}

void append_optional(std::string& sql, const std::optional<std::string>& bytes) {
  if (bytes) {
    append_bytes(sql, *bytes);
  } else {
    sql += "NULL::bytea";
  }
}

/// For people: also where the session speaks another encoding. Where the database may lack a
/// character, escaped.
void append_text(std::string& sql, const std::string& text, bool utf8) {
  constexpr std::size_t bytes_max = 1'000;
  const auto clean = sanitise(text, bytes_max, !utf8);
  if (!utf8) {
    sql += quote_literal(clean);
    return;
  }
  sql += "convert_from(";
  append_bytes(sql, clean);
  sql += ", 'UTF8')";
}

/// ", freed AS (DELETE …)": what would refuse the COMMIT. By its place, so that nothing is
/// searched, and transactions of a stricter isolation do not meet there.
std::string may_commit(const Shared& shared) {
  return fmt::format(
      ", freed AS (DELETE FROM {} WHERE ctid = nullif(current_setting('semel.begun', true), "
      "'')::tid)",
      shared.tables.begun);
}

/// ", kept AS (INSERT …)"; nothing where there is none.
std::string keep_dead_letters(const LedgerOfOurs& ledger, const RangeMove& move) {
  const auto& shared = ledger.shared();
  if (move.dead_letters.empty()) return "";
  const auto time = move.task.time;
  const auto& range = move.task.range;
  auto sql = fmt::format(
      ", kept AS (INSERT INTO {} (pipeline, output, topic, \"partition\", \"offset\", batch_time, "
      "timestamp_ms, key, value, headers, column_name, sqlstate, reason) VALUES ",
      shared.tables.dead_letters);
  bool first = true;
  for (const auto& letter : move.dead_letters) {
    sql += fmt::format("{}({}, {}, {}, {}, {}, {}, {}, ", std::exchange(first, false) ? "" : ", ",
                       quote_literal(shared.owner.pipeline), quote_literal(shared.owner.output),
                       quote_literal(range.tp.topic), range.tp.partition, letter.offset, time.ms,
                       letter.timestamp_ms < 0 ? std::string("NULL::bigint")
                                               : fmt::to_string(letter.timestamp_ms));
    append_optional(sql, letter.key);
    sql += ", ";
    append_optional(sql, letter.value);
    sql += ", ";
    append_optional(sql, letter.headers.empty() ? std::nullopt : std::optional(letter.headers));
    sql += fmt::format(", NULL, '{}', ", by_the_program);
    append_text(sql, letter.reason, ledger.utf8());
    sql += ")";
  }
  return sql + ")";
}

}  // namespace

LedgerFactory ledger(std::string dsn, LedgerOptions options) {
  Options ours;
  ours.dsn = std::move(dsn);
  ours.own_transactions = true;
  ours.names = SettingNames(names_of_a_program);
  ours.ledger_schema = options.schema;
  ours.create_ledger = options.create;
  ours.connect_timeout_ms = options.connect_timeout_ms;
  ours.keep_commits_hours = options.keep_commits_hours;
  return [ours](const LedgerContext& context) {
    auto here = ours;
    here.log = Log(context.log, LogLevel::debug);
    return make_ledger(here, context.owner);
  };
}

std::string begin_sql(const Range& range) {
  const auto& shared = ledger_of(range).shared();
  const auto name = to_string(range.offsets());
  // SAVEPOINT is refused where BEGIN was forgotten, before there are rows that nothing would take
  // back. Then the name: who takes over and looks for sessions to end finds this one, or the
  // question behind it finds him. max(), so that there is a row in any case. The advance looks
  // whether all this was in its own transaction, by the setting; and a COMMIT without it is refused
  // by the row (begun_table), unless constraints are off, which is refused here. Run once more in
  // the transaction, it takes the place of its first row; that of another range stays. What refuses
  // is no constant, or the server would evaluate it while it plans.
  return fmt::format(
      "SAVEPOINT semel;RELEASE SAVEPOINT semel;SET LOCAL application_name = {name};"
      "DELETE FROM {begun} WHERE ctid = CASE WHEN current_setting('semel.range', true) = {name} "
      "THEN nullif(current_setting('semel.begun', true), '')::tid END;"
      "WITH begun AS (INSERT INTO {begun} (advance) VALUES ({unadvanced}) RETURNING ctid) "
      "SELECT set_config('semel.range', {name}, true), "
      "set_config('semel.begun', (SELECT ctid::text FROM begun), true), "
      "CASE WHEN current_setting('synchronous_commit') = 'off' THEN "
      "set_config('synchronous_commit', 'on', true) END, "
      "CASE WHEN current_setting('lock_timeout') = '0' THEN set_config('lock_timeout', '60s', "
      "true) "
      "END, {idle}, {whole}, CASE WHEN current_setting('session_replication_role') = 'replica' "
      "THEN ({refuses} || ': where session_replication_role is ' || "
      "current_setting('session_replication_role') || ', a commit without the advance would not be "
      "noticed')::integer END, "
      "(SELECT CASE WHEN max(o.owner) = {id} THEN 0 ELSE ({refuses} || ': fenced by ' || "
      "coalesce(max(o.description), 'nobody: the pipeline is not in the ledger'))::integer END "
      "FROM {owners} o WHERE {mine})",
      fmt::arg("name", quote_literal(session_name(shared, range.task()))),
      fmt::arg("begun", shared.tables.begun),
      fmt::arg("unadvanced",
               quote_literal(fmt::format("semel refuses the COMMIT of {}: advance_sql() of this "
                                         "range was not run in its transaction",
                                         name))),
      fmt::arg("idle", unlimited("idle_in_transaction_session_timeout")),
      fmt::arg("whole", unlimited("transaction_timeout")),
      fmt::arg("refuses", quote_literal("semel refuses " + name)),
      fmt::arg("id", quote_literal(shared.owner.id)), fmt::arg("owners", shared.tables.owners),
      fmt::arg("mine", mine(shared, "o.")));
}

std::string advance_sql(const Range& range) {
  const auto& ledger = ledger_of(range);
  const auto& shared = ledger.shared();
  const auto& move = range.move();
  const Advance advance{.task = &move.task,
                        .last = move.last,
                        .counts = {.rows = move.rows, .dead_letters = move.dead_letters.size()}};
  return advance_aloud(shared, advance, session_name(shared, move.task),
                       may_commit(shared) + keep_dead_letters(ledger, move));
}

}  // namespace semel::postgres
