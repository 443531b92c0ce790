#include "postgres/ledger/ledger_ddl.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/joined.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/postgres.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

// Two that start at once would both see no table and both make it; the second fails on a system
// index. Any constant will do; this one is "semel" in ASCII. Stored: do not change (another version
// of semel that starts at the same moment takes the same lock).
constexpr long long creation_lock = 0x73656D656C;

// As version 1 had them. What came later is added below, so that a new ledger and one that was
// brought up are the same. ASCII only: the database may have any encoding. Stored: do not change,
// neither names nor types; people's queries read these tables, too.
constexpr std::string_view first_tables = R"(CREATE TABLE IF NOT EXISTS {owners} (
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
CREATE TABLE IF NOT EXISTS {progress} (
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
CREATE TABLE IF NOT EXISTS {commits} (
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
CREATE TABLE IF NOT EXISTS {dead_letters} (
  pipeline text NOT NULL,
  output text NOT NULL,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  "offset" bigint NOT NULL,
  batch_time bigint NOT NULL,
  timestamp_ms bigint,              -- Kafka's
  key bytea,
  value bytea,
  headers bytea,                    -- JSON: [{{"name": ..., "value": ... or "base64": ...}}, ...]
  column_name text,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now()
);
)";

// For transactions that a program commits itself (own_transaction.cpp): each puts a row that may be
// there until its end and no longer, and the advance takes it away. A COMMIT that finds it there is
// refused by the server, without any language installed: `never` holds nothing that `advance` could
// refer to, and a unique index of nulls makes nobody wait for anybody. A pipeline does not need it,
// so it is no matter of the version. Unlogged: nothing of it outlives a transaction, and it is in
// no publication, where a row that is deleted has to have an identity.
constexpr std::string_view begun_table = R"(CREATE UNLOGGED TABLE IF NOT EXISTS {begun} (
  never text UNIQUE CHECK (never IS NULL),
  advance text NOT NULL REFERENCES {begun} (never) DEFERRABLE INITIALLY DEFERRED  -- why it fails
);
)";

// Where the output is the home of what a stream's pipeline remembers (decision 15), in the
// transaction of the ledger. No other pipeline needs them, so they are no matter of the version. An
// index holds no more than 2,700 bytes: of a long key its beginning and a checksum, which is longer
// than any short one.
constexpr std::string_view state_tables = R"(CREATE TABLE IF NOT EXISTS {state} (
  pipeline text NOT NULL,
  output text NOT NULL,
  key bytea NOT NULL,               -- a stage's name, a zero byte, and its key; beyond 1000 bytes cut, and sha256; empty: the version of the rows
  key_rest bytea,                   -- of a key that was cut, what is behind 1000 bytes
  value bytea,                      -- NULL: the key is gone; kept for caches that are behind
  batch_time bigint NOT NULL,       -- ms since 1970, of the batch that wrote it
  PRIMARY KEY (pipeline, output, key)
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS {state_versions} (
  pipeline text NOT NULL,
  output text NOT NULL,
  batch_time bigint NOT NULL,
  name bigint NOT NULL,             -- random, given once
  committed_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, output, batch_time)
);
)";

// A column of a later version has a default or may be NULL: a semel of before, that is still
// running or comes back, goes on inserting rows without it.
constexpr std::string_view later_columns = R"(-- Version 2.
ALTER TABLE {owners}
  ADD COLUMN IF NOT EXISTS ledger_version integer NOT NULL DEFAULT 2,  -- of these tables: its default
  ADD COLUMN IF NOT EXISTS state text,          -- running, stopped, failed; NULL: a semel of before
  ADD COLUMN IF NOT EXISTS state_reason text,   -- why it failed
  ADD COLUMN IF NOT EXISTS heartbeat_ms bigint, -- seen_at is touched at least so often
  ADD COLUMN IF NOT EXISTS topics text,         -- what it reads
  ADD COLUMN IF NOT EXISTS target text,         -- the table that it writes
  ADD COLUMN IF NOT EXISTS target_oid bigint,
  ADD COLUMN IF NOT EXISTS mapping text;        -- how records become rows
ALTER TABLE {commits}
  ADD COLUMN IF NOT EXISTS ignored bigint,      -- records left out as configured (tombstones)
  ADD COLUMN IF NOT EXISTS suppressed bigint;   -- records that a trigger kept out
)";

// Version 3. Letters are looked for where they came from, a thousand after the other.
constexpr std::string_view letters_index = R"(-- Version 3.
CREATE INDEX IF NOT EXISTS {letters_index} ON {dead_letters} (pipeline, output, topic, "partition", "offset");
)";

/// What the role of a pipeline needs of a rule's tables.
std::string grants_of(const Options& rule) {
  std::string sql;
  const bool upserts = rule.write == Write::upsert;
  const bool removes = upserts && rule.marks_removed.empty() && rule.policy.removes();
  const auto rights = fmt::format("{}INSERT{}{}", upserts ? "SELECT, " : "",
                                  upserts ? ", UPDATE" : "", removes ? ", DELETE" : "");
  if (!rule.writes_rows()) return sql;
  const auto known = tables_known(rule, rule.topics);
  if (!is_fixed(rule) && (!rule.table.empty() || known.empty())) {
    sql += fmt::format(
        "-- and for each table of {}: GRANT {} ON it TO semel_role, and USAGE on its "
        "schema.\n",
        name_of_rule(rule), rights);
  }
  for (const auto& written : known) {
    const auto table = split_name(written);
    const auto schema = table.schema.empty() ? "public" : quote_identifier(table.schema);
    sql += fmt::format("-- GRANT USAGE ON SCHEMA {} TO semel_role;\n", schema);
    if (rule.create) {
      sql += fmt::format(
          "-- create = true: who makes the table owns it, and needs nothing else on it.\n"
          "-- GRANT CREATE ON SCHEMA {} TO semel_role;\n",
          schema);
    }
    if (rule.evolve == Evolve::add) {
      sql += fmt::format(
          "-- evolve = \"add\": only a table's owner may add columns, where the table is there.\n"
          "-- ALTER TABLE {} OWNER TO semel_role;\n",
          table.quoted());
    }
    sql += fmt::format("-- GRANT {} ON {} TO semel_role;\n", rights, table.quoted());
    if (rule.merges()) {
      sql +=
          "-- DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO semel_role', "
          "current_database()); END $$;\n";
    }
    // A default is evaluated under the rights of who inserts.
    sql += fmt::format(
        "-- DO $$ DECLARE s regclass; BEGIN FOR s IN SELECT d.refobjid FROM pg_depend d JOIN "
        "pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid JOIN pg_class c ON "
        "c.oid = d.refobjid AND c.relkind = 'S' WHERE d.refclassid = 'pg_class'::regclass AND "
        "a.adrelid = {}::regclass LOOP EXECUTE format('GRANT USAGE ON SEQUENCE %s TO semel_role', "
        "s); END LOOP; END $$;\n",
        quote_literal(table.quoted()));
  }
  return sql;
}

}  // namespace

LedgerTables ledger_tables(const Options& options, const std::string& schema) {
  const auto name = [&](const std::string& table) { return QualifiedName{schema, table}.quoted(); };
  return {.schema = schema,
          .owners = name(options.owners_table),
          .progress = name(options.progress_table),
          .commits = name(options.commits_table),
          .dead_letters = name(options.dead_letters_table),
          .letters_index = quote_identifier(options.dead_letters_table + "_place"),
          .begun = name(options.begun_table),
          .state = name(options.state_table),
          .state_versions = name(options.state_versions_table),
          .commits_name = options.commits_table};
}

std::vector<LedgerNeed> ledger_needs(const Options& options) {
  std::vector<LedgerNeed> needs{
      {&Options::owners_table, {"SELECT", "INSERT", "UPDATE"}},
      {&Options::progress_table, {"SELECT", "INSERT", "UPDATE", "DELETE"}},
      {&Options::commits_table, {"SELECT", "INSERT", "UPDATE", "DELETE"}},
      {&Options::dead_letters_table, {"SELECT", "INSERT"}}};
  if (options.keep_dead_letters_hours > 0) needs.back().privileges.push_back("DELETE");
  if (options.own_transactions) {
    needs.push_back({&Options::begun_table, {"SELECT", "INSERT", "DELETE"}});
  }
  if (options.is_home) {
    needs.push_back({&Options::state_table, {"SELECT", "INSERT", "UPDATE", "DELETE"}});
    needs.push_back({&Options::state_versions_table, {"SELECT", "INSERT", "DELETE"}});
  }
  return needs;
}

std::string version_expression(const LedgerTables& tables) {
  // The default of a column: it belongs to the tables alone, no dump leaves it out, and whoever
  // may see the table's name may read it.
  return fmt::format(
      "(SELECT coalesce((SELECT pg_get_expr(d.adbin, d.adrelid)::integer "
      "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND "
      "d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attname = 'ledger_version' AND NOT "
      "a.attisdropped), 1) FROM pg_catalog.pg_class c WHERE c.oid = to_regclass({}))",
      quote_literal(tables.owners));
}

std::string ledger_script(const LedgerTables& tables, bool with_schema,
                          const std::string& lock_timeout, LedgerColumns columns,
                          const std::string& grants) {
  return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n" +
         ledger_statements(tables, with_schema, lock_timeout, columns) + grants + "COMMIT;\n";
}

std::string ledger_statements(const LedgerTables& tables, bool with_schema,
                              const std::string& lock_timeout, LedgerColumns columns) {
  std::string sql = fmt::format(
      "SET LOCAL lock_timeout = '20s';\n"
      "SELECT pg_advisory_xact_lock({});\n"
      "SET LOCAL lock_timeout = '{}';\n",
      creation_lock, lock_timeout);
  if (with_schema) {
    // IF NOT EXISTS asks for the right to make schemas where there is nothing to make.
    const auto schema = quote_identifier(tables.schema);
    sql +=
        "DO " +
        quote_literal(fmt::format(
            "BEGIN IF to_regnamespace({}) IS NULL THEN CREATE SCHEMA IF NOT EXISTS {}; END IF; END",
            quote_literal(schema), schema)) +
        ";\n";
  }
  // A number that is none is an error with a reason in it, without any language installed.
  sql += fmt::format(
      "SELECT CASE WHEN {0} > {1} THEN ('this ledger is of version ' || {0} || ', and this script "
      "of {1}')::integer END;\n",
      version_expression(tables), ledger_version);
  const auto fill = [&](std::string_view text) {
    return fmt::format(fmt::runtime(text), fmt::arg("owners", tables.owners),
                       fmt::arg("progress", tables.progress), fmt::arg("commits", tables.commits),
                       fmt::arg("dead_letters", tables.dead_letters),
                       fmt::arg("letters_index", tables.letters_index),
                       fmt::arg("begun", tables.begun), fmt::arg("state", tables.state),
                       fmt::arg("state_versions", tables.state_versions));
  };
  sql += fill(first_tables) + fill(begun_table) + fill(state_tables);
  if (columns == LedgerColumns::there) return sql;
  if (columns == LedgerColumns::letters_missing) return sql + fill(letters_index);
  return sql + fill(later_columns) + fill(letters_index) +
         fmt::format("ALTER TABLE {} ALTER COLUMN ledger_version SET DEFAULT {};\n", tables.owners,
                     ledger_version);
}

std::string ledger_ddl(const Options& options) {
  const auto tables = ledger_tables(options, options.ledger_schema);
  std::string sql = fmt::format(
      "-- The ledger of semel, version {}: makes it, or brings one of an earlier version up, and\n"
      "-- may be run again. By somebody who may create tables, or who owns those that are there;\n"
      "-- `semel run` does the same itself where its role may.\n",
      ledger_version);
  sql += ledger_script(tables, !options.ledger_schema.empty(), "20s");
  sql += "\n-- What the role of a pipeline needs (put its name for semel_role):\n";
  if (!options.ledger_schema.empty()) {
    sql += fmt::format("-- GRANT USAGE ON SCHEMA {} TO semel_role;\n",
                       quote_identifier(options.ledger_schema));
  }
  for (const auto& need : ledger_needs(options)) {
    sql += fmt::format("-- GRANT {} ON {} TO semel_role;\n", joined(need.privileges, ", "),
                       QualifiedName{options.ledger_schema, options.*need.table}.quoted());
  }
  sql += fmt::format(
      "-- A program with transactions of its own (<semel/postgres.hpp>) needs, besides:\n"
      "-- GRANT SELECT, INSERT, DELETE ON {} TO semel_role;\n",
      QualifiedName{options.ledger_schema, options.begun_table}.quoted());
  sql += fmt::format(
      "-- One whose streams remember something under state = \"sink\" needs, besides:\n"
      "-- GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO semel_role;\n"
      "-- GRANT SELECT, INSERT, DELETE ON {} TO semel_role;\n",
      QualifiedName{options.ledger_schema, options.state_table}.quoted(),
      QualifiedName{options.ledger_schema, options.state_versions_table}.quoted());
  for (const auto& rule : table_rules(options)) sql += grants_of(rule);
  sql +=
      "-- Only where the pipeline has run under another role, whose frozen sessions it may then "
      "end:\n"
      "-- GRANT pg_signal_backend TO semel_role;\n"
      "-- Where the database has ledgers of others that the role may not read, a new pipeline has "
      "to say\n-- which is its own: ";
  sql += options.names("sink.postgres.ledger.schema");
  sql +=
      ". Without it, it asks for USAGE on their schemas and\n-- SELECT on their tables of "
      "owners.\n";
  return sql;
}

}  // namespace semel::postgres
