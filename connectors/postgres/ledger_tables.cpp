#include "postgres/ledger_tables.hpp"

#include <fmt/format.h>
#include <vector>

#include "postgres/postgres.hpp"
#include "postgres/quoting.hpp"

namespace semel::postgres {

namespace {

// Two that start at once would both see no table and both make it; the second fails on a system
// index. Any constant will do; this one is "semel" in ASCII.
constexpr long long creation_lock = 0x73656D656C;

/// What a pipeline and the operators' commands need.
struct Need {
  std::string Options::*table;
  std::vector<const char*> privileges;
};

std::vector<Need> needs() {
  return {{&Options::owners_table, {"SELECT", "INSERT", "UPDATE"}},
          {&Options::progress_table, {"SELECT", "INSERT", "UPDATE", "DELETE"}},
          {&Options::commits_table, {"SELECT", "INSERT", "UPDATE", "DELETE"}},
          {&Options::dead_letters_table, {"SELECT", "INSERT"}}};
}

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

}  // namespace

LedgerTables ledger_tables(const Options& options, const std::string& schema) {
  const auto name = [&](const std::string& table) { return QualifiedName{schema, table}.quoted(); };
  return {.schema = schema,
          .owners = name(options.owners_table),
          .progress = name(options.progress_table),
          .commits = name(options.commits_table),
          .dead_letters = name(options.dead_letters_table),
          .commits_name = options.commits_table};
}

Result<LedgerTables> locate_ledger(Connection& connection, const Options& options) {
  if (!options.ledger_schema.empty()) return ledger_tables(options, options.ledger_schema);
  auto reply = connection.run("SELECT current_schema()", "looking for the ledger's schema");
  if (!reply) return tl::unexpected(reply.error());
  const auto& found = reply->table(0);
  if (found.is_null(0, 0)) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("no schema of the search path exists {}: set "
                            "sink.postgres.ledger.schema",
                            connection.where()));
  }
  return ledger_tables(options, found.text(0, 0));
}

std::string create_statements(const LedgerTables& tables, bool with_schema) {
  std::string sql;
  if (with_schema) {
    sql += fmt::format("CREATE SCHEMA IF NOT EXISTS {};\n", quote_identifier(tables.schema));
  }
  sql += fmt::format(R"(CREATE TABLE IF NOT EXISTS {0} (
  pipeline text NOT NULL,
  output text NOT NULL,
  epoch bigint NOT NULL,            -- raised by each take-over
  owner text NOT NULL,              -- random UUID of the process that writes
  description text NOT NULL,
  application_name text NOT NULL,   -- of its sessions; empty: it stopped in good order
  since timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  cluster_id text NOT NULL,         -- of the Kafka cluster that the offsets belong to
  PRIMARY KEY (pipeline, output)
);
CREATE TABLE IF NOT EXISTS {1} (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  until_offset bigint NOT NULL,     -- everything below is in the table
  epoch bigint NOT NULL,
  owner text NOT NULL,
  batch_time bigint NOT NULL,       -- ms since 1970, of the batch that moved it last
  last_offset bigint,               -- the last record committed: by it the log is recognised
  last_timestamp bigint,
  last_checksum bigint,
  moved_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition")
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {2} (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  batch_time bigint NOT NULL,
  epoch bigint NOT NULL,
  from_offset bigint NOT NULL,
  until_offset bigint NOT NULL,     -- NULL is what makes the server refuse a commit
  kind text NOT NULL,               -- start, commit, lost, set
  rows bigint NOT NULL,
  dead_letters bigint NOT NULL,
  note text,
  committed_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition", batch_time, epoch, from_offset)
);
CREATE TABLE IF NOT EXISTS {3} (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  "offset" bigint NOT NULL,
  batch_time bigint NOT NULL,
  timestamp_ms bigint,              -- Kafka's
  key bytea,
  value bytea,
  headers bytea,                    -- JSON: [{{"name": …, "value": … or "base64": …}}, …]
  column_name text,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now()
);
)",
                     tables.owners, tables.progress, tables.commits, tables.dead_letters);
  return sql;
}

Result<LedgerState> inspect_ledger(Connection& connection, const Options& options,
                                   const LedgerTables& tables) {
  std::string values;
  for (const auto& need : needs()) {
    for (const auto* privilege : need.privileges) {
      append(values, fmt::format("({}, '{}')", quote_literal(options.*need.table), privilege));
    }
  }
  auto reply = connection.run(
      fmt::format("SELECT n.oid IS NOT NULL, CASE WHEN n.oid IS NULL THEN "
                  "has_database_privilege(current_database(), 'CREATE') ELSE "
                  "has_schema_privilege(n.oid, 'CREATE') END FROM (SELECT 1) AS one "
                  "LEFT JOIN pg_namespace n ON n.nspname = {0};"
                  "SELECT w.name, w.privilege, c.oid IS NOT NULL, "
                  "coalesce(has_table_privilege(c.oid, w.privilege), false) "
                  "FROM (VALUES {1}) AS w (name, privilege) "
                  "LEFT JOIN pg_namespace n ON n.nspname = {0} "
                  "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name",
                  quote_literal(tables.schema), values),
      "looking for the ledger's tables");
  if (!reply) return tl::unexpected(reply.error());
  LedgerState state{.schema_exists = reply->table(0).flag(0, 0),
                    .may_create = reply->table(0).flag(0, 1)};
  const auto& found = reply->table(1);
  std::string seen;
  for (int row = 0; row < found.size(); ++row) {
    const auto name = found.text(row, 0);
    if (!found.flag(row, 2)) {
      if (name != seen) append(state.missing, name);
      seen = name;
    } else if (!found.flag(row, 3)) {
      append(state.lacking, found.text(row, 1) + " on " + name);
    }
  }
  return state;
}

Result<void> ensure_ledger(Connection& connection, const Options& options,
                           const LedgerTables& tables) {
  auto state = inspect_ledger(connection, options, tables);
  if (!state) return tl::unexpected(state.error());
  if (state->missing.empty()) return {};
  if (!options.create_ledger) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the ledger tables {} do not exist in schema {}, and ledger.create is "
                            "false. Run what `semel sql` prints, as somebody who may",
                            state->missing, tables.schema));
  }
  const auto reply = connection.exchange(
      fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;SET LOCAL lock_timeout = '20s';"
                  "SELECT pg_advisory_xact_lock({});{}COMMIT",
                  creation_lock, create_statements(tables, !state->schema_exists)));
  if (reply.ok()) return {};
  connection.roll_back();
  auto error = to_error(reply, "making the ledger tables");
  if (reply.error && meaning_of(reply.error->sqlstate) == Meaning::privilege) {
    error.message = fmt::format(
        "the ledger tables {} do not exist in schema {}, and the role may not make them ({}). Run "
        "what `semel sql` prints, as somebody who may",
        state->missing, tables.schema, reply.error->text());
  }
  return tl::unexpected(std::move(error));
}

std::string ledger_ddl(const Options& options) {
  const auto tables = ledger_tables(options, options.ledger_schema);
  std::string sql =
      "-- The ledger of semel. Run it once, as somebody who may create tables; `semel run` makes\n"
      "-- the tables itself where its role may.\n";
  sql += create_statements(tables, !options.ledger_schema.empty());
  sql += "\n-- What the role of a pipeline needs (put its name for semel_role):\n";
  if (!options.ledger_schema.empty()) {
    sql += fmt::format("-- GRANT USAGE ON SCHEMA {} TO semel_role;\n",
                       quote_identifier(options.ledger_schema));
  }
  for (const auto& need : needs()) {
    std::string privileges;
    for (const auto* privilege : need.privileges) append(privileges, privilege);
    sql += fmt::format("-- GRANT {} ON {} TO semel_role;\n", privileges,
                       QualifiedName{options.ledger_schema, options.*need.table}.quoted());
  }
  if (!options.table.empty()) {
    sql +=
        fmt::format("-- GRANT INSERT ON {} TO semel_role;\n", split_name(options.table).quoted());
  }
  return sql;
}

}  // namespace semel::postgres
