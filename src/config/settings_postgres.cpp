// Where rows go.
#include "config/durations.hpp"
#include "config/setting.hpp"
#include "postgres/client/quoting.hpp"

namespace semel::config {

namespace {

std::optional<std::string> check_table(const std::string& written) {
  auto mistake = postgres::name_mistake(written);
  return mistake.empty() ? std::nullopt : std::optional(std::move(mistake));
}

/// Fits into PostgreSQL's names without being cut.
std::optional<std::string> check_identifier(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 63) return "must have at most 63 bytes, as all names in PostgreSQL";
  return std::nullopt;
}

}  // namespace

std::vector<Setting> postgres_settings() {
  using postgres::EpochUnit;
  using record::OnBadRecord;
  using record::Tombstones;
  using record::UnknownFields;
  return {
      {.path = "sink.postgres.dsn",
       .binding = connection_string([](auto& c) -> auto& { return c.postgres.dsn; }),
       .text = "Connection string or URI, as for `psql`. What it leaves out comes from the usual "
               "variables (`PGHOST`, `PGPASSWORD`, ...), `~/.pgpass` and `pg_service.conf`.",
       .example = "\"postgresql://app:${SHOP_PASSWORD}@localhost/shop\"",
       .required = true,
       .secret = true},
      {.path = "sink.postgres.table",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.table; }, check_table),
       .text = "Table, or schema.table, that gets the rows. Written as it is: upper and lower case "
               "differ. A name that holds a dot goes in double quotes (`'\"a.b\"'`, "
               "`'shop.\"a.b\"'`). It must exist; its columns and types are read from the "
               "catalogue.",
       .example = "\"clicks\"",
       .required = true},
      {.path = "sink.postgres.columns",
       .binding = text_table([](auto& c) -> auto& { return c.postgres.columns; }),
       .text =
           "Where a column gets its value from, if not from the member of its name: a path "
           "into the JSON value (`$.a.b`), or `@topic`, `@partition`, `@offset`, `@timestamp`, "
           "`@key`, "
           "`@value`, `@headers`. Columns that are not named here take the member of their name. "
           "[What becomes of which value](../guides/values.md).",
       .example =
           "{ id = \"$.payload.id\", at = \"@timestamp\", raw = \"@value\", src = \"@topic\" }"},
      {.path = "sink.postgres.unknown_fields",
       .binding = choice<UnknownFields>(
           [](auto& c) -> auto& { return c.postgres.policy.unknown_fields; },
           {{"ignore", UnknownFields::ignore}, {"dead_letter", UnknownFields::dead_letter}}),
       .text =
           "A record with a member that has no column: `ignore` leaves the member out and counts "
           "it, `dead_letter` puts the record aside."},
      {.path = "sink.postgres.tombstones",
       .binding = choice<Tombstones>(
           [](auto& c) -> auto& { return c.postgres.policy.tombstones; },
           {{"ignore", Tombstones::ignore}, {"dead_letter", Tombstones::dead_letter}}),
       .text = "A record without a value: `ignore` counts it, `dead_letter` puts it aside."},
      {.path = "sink.postgres.on_bad_record",
       .binding = choice<OnBadRecord>(
           [](auto& c) -> auto& { return c.postgres.policy.on_bad_record; },
           {{"dead_letter", OnBadRecord::dead_letter}, {"stop", OnBadRecord::stop}}),
       .text =
           "A record that cannot be a row (not JSON, wrong type, refused by the server while its "
           "neighbours go in): `dead_letter` puts it into the dead-letter table in the same "
           "transaction, `stop` ends "
           "with exit code 7 and names topic, partition, offset and column. Outages never make "
           "dead letters."},
      {.path = "sink.postgres.bad_share_max",
       .binding = number(
           [](auto& c) -> auto& { return c.postgres.policy.bad_share_max; }, 0, 1),
       .text = "A range in which at least this share of the records is bad stops the pipeline "
               "and fills no dead-letter table: the table has changed, or it is the wrong "
               "topic. 1.0: only when all records are bad.",
       .example = "0.5"},
      {.path = "sink.postgres.bad_share_min_records",
       .binding = integer<std::uint64_t>(
           [](auto& c) -> auto& { return c.postgres.policy.bad_share_min_records; }, {1}),
       .text =
           "How many records of a topic in a row must be bad before bad_share_max stops the "
           "pipeline. The count goes on from one range to the next, and a good record ends it."},
      {.path = "sink.postgres.epoch_unit",
       .binding = choice<EpochUnit>([](auto& c) -> auto& { return c.postgres.epoch_unit; },
                                    {{"seconds", EpochUnit::seconds},
                                     {"milliseconds", EpochUnit::milliseconds},
                                     {"microseconds", EpochUnit::microseconds}}),
       .text = "The unit of a JSON number in a `timestamp` or `timestamptz` column, counted from "
               "1970-01-01 00:00 UTC. `date` and `time` columns take no numbers: days and "
               "milliseconds look alike."},
      {.path = "sink.postgres.synchronous_commit",
       .binding = boolean([](auto& c) -> auto& { return c.postgres.synchronous_commit; }),
       .text = "`false` lets PostgreSQL answer COMMIT before it is on disk. A crash of the "
               "server may then take back the last moments, rows and offsets alike. semel "
               "reads them again, as long as Kafka still has them."},
      {.path = "sink.postgres.connect_timeout",
       .binding = duration([](auto& c) -> auto& { return c.postgres.connect_timeout_ms; },
                           {second_ms, hour_ms}),
       .text = "How long one attempt to connect may take.",
       .example = "\"5s\""},
      {.path = "sink.postgres.statement_timeout",
       .binding =
           duration([](auto& c) -> auto& { return c.postgres.statement_timeout_ms; }, {0, day_ms}),
       .text =
           "PostgreSQL's `statement_timeout` for semel's transactions. `\"0s\"`: the server's own "
           "setting. `semel status`, `offsets` and `verify` wait this long for an answer, and "
           "`connect_timeout` on top; 30 seconds where it is `\"0s\"`.",
       .example = "\"2m\""},

      {.path = "sink.postgres.ledger.schema",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.ledger_schema; }, check_identifier),
       .text = "Schema of the ledger tables. Default: the first one of the search path.",
       .example = "\"semel\""},
      {.path = "sink.postgres.ledger.create",
       .binding = boolean([](auto& c) -> auto& { return c.postgres.create_ledger; }),
       .text =
           "Whether `semel run` makes the ledger tables where they are missing. `false`: they must "
           "exist; `semel sql FILE` prints what makes them."},
      {.path = "sink.postgres.ledger.owners",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.owners_table; }, check_identifier),
       .text = "Name of the table that says who owns each pipeline."},
      {.path = "sink.postgres.ledger.progress",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.progress_table; }, check_identifier),
       .text = "Name of the table that holds how far each partition has come."},
      {.path = "sink.postgres.ledger.commits",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.commits_table; }, check_identifier),
       .text = "Name of the audit trail, from which `semel verify` proves the chain."},
      {.path = "sink.postgres.ledger.dead_letters",
       .binding = text(
           [](auto& c) -> auto& { return c.postgres.dead_letters_table; }, check_identifier),
       .text = "Name of the table of records that could not be rows."},
      {.path = "sink.postgres.ledger.keep_commits",
       .binding = duration(
           [](auto& c) -> auto& { return c.postgres.keep_commits_hours; },
           {0, 365ll * 100 * day_ms}, hour_ms),
       .text =
           "Age at which rows of the audit trail are removed, in whole hours; the newest row of "
           "each partition always stays. `\"0s\"`: never.",
       .example = "\"30d\""},
  };
}

}  // namespace semel::config
