// [sink.postgres]
#include <fmt/format.h>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "config/durations.hpp"
#include "config/load.hpp"
#include "config/setting.hpp"
#include "config/value.hpp"
#include "connector/record_settings.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/client/secrets.hpp"
#include "postgres/options.hpp"
#include "postgres/settings.hpp"
#include "postgres/table/routing.hpp"
#include "record/mapping.hpp"

namespace semel::postgres {

namespace {

using config::boolean;
using config::choice;
using config::duration;
using config::Setting;
using config::text;

std::optional<std::string> check_mapping(const std::string& written) {
  auto mapping = record::parse_mapping(written);
  return mapping ? std::nullopt
                 : std::optional("is no place in a record: " + mapping.error().message);
}

std::optional<std::string> check_table(const std::string& written) {
  auto mistake = name_mistake(written);
  if (mistake.empty()) mistake = record::groups_mistake(written);
  return mistake.empty() ? std::nullopt : std::optional(std::move(mistake));
}

std::optional<std::string> check_path(const std::string& written) {
  const auto mapping = record::parse_mapping(written);
  if (mapping && mapping->part == record::Part::path) return std::nullopt;
  return "is no place in a record's value: write $.items, or $ where the value itself is the list";
}

/// Fits into PostgreSQL's names without being cut.
std::optional<std::string> check_identifier(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 63) return "must have at most 63 bytes, as all names in PostgreSQL";
  return std::nullopt;
}

Setting dsn_setting() {
  return {.path = "dsn",
          .binding = config::secret_text(&Options::dsn, mask_connection_string),
          .text =
              "Connection string or URI, as for `psql`. What it leaves out comes from the usual "
              "variables (`PGHOST`, `PGPASSWORD`, ...), `~/.pgpass` and `pg_service.conf`.",
          .example = "\"postgresql://app:${SHOP_PASSWORD}@localhost/shop\"",
          .required = true,
          .secret = true};
}

/// Where rows go.
std::vector<Setting> target_settings() {
  const config::Field<record::RouteRule> route(&Options::route);
  return {
      {.path = "table",
       .binding = text(&Options::table, check_table),
       .text = "Table, or schema.table, that gets the rows. Written as it is: upper and lower case "
               "differ. A name that holds a dot goes in double quotes (`'\"a.b\"'`, "
               "`'shop.\"a.b\"'`). It must exist, or `create` makes it; its columns and types "
               "are read from the catalogue. `{1}` in it is the first group of the pattern of "
               "topics, `{0}` "
               "all of the topic's name; a brace of the name itself is written twice. "
               "[Several tables](../guides/several-tables.md).",
       .example = "\"clicks\"",
       .required_unless = {"routes", "tables"}},
      {.path = "routes",
       .binding = config::text_table(route.of(&record::RouteRule::to)),
       .text = "Topics, and the table of each. Others go to `table`, if there is one; without one "
               "they stop the pipeline.",
       .example = "{ \"shop.orders\" = \"orders\", \"shop.refunds\" = \"archive.refunds\" }"},
      {.path = "route",
       .binding = text(route.of(&record::RouteRule::from), check_mapping),
       .text = "What says which table a record is for: a path or a part, as in `columns`. It is "
               "looked up in `routes`, and is `{0}` in `table`. A record for which there is no "
               "table is bad.",
       .example = "\"$.type\""},
      {.path = "path",
       .binding = text(&Options::path, check_path),
       .text = "An array in the record's value whose elements are the rows: in `columns`, `$` is "
               "the element, `@value.id` a member of the whole value, `@index` the element's "
               "place, from 0. `$`: the value itself is the array.",
       .example = "\"$.items\""},
  };
}

/// Of tables that semel makes.
std::vector<Setting> making_settings() {
  return {
      {.path = "create",
       .binding = boolean(&Options::create),
       .text = "Whether a table that does not exist is made, with a column for each member that "
               "the first records have, and for each of `columns`. With `write = \"upsert\"` "
               "`key` is its primary key. Not for tables that records name (`route`). "
               "[Making tables](../guides/making-tables.md)."},
      {.path = "evolve",
       .binding = choice<Evolve>(&Options::evolve, {{"none", Evolve::none}, {"add", Evolve::add}}),
       .text = "`add`: a member without a column gets one, without NOT NULL. Nothing is ever "
               "dropped, renamed or narrowed. `none`: `unknown_fields` says what becomes of such "
               "members."},
  };
}

Setting types_setting() {
  return {.path = "types",
          .binding = config::text_table(&Options::types),
          .text =
              "Types of columns that `create` and `evolve` make, as SQL. Others are `numeric`, "
              "`boolean`, `text` or `jsonb`, as the records' values are.",
          .example = "{ id = \"bigint\", at = \"timestamptz\" }"};
}

bool is_of_a_table(const Setting& setting) {
  const auto& path = setting.path;
  return path == "columns" || path == "tombstones";
}

std::vector<Setting> merge_settings();

/// What is said of each of several tables.
std::vector<Setting> settings_of_a_table() {
  auto settings = target_settings();
  settings.front().required_unless = {"routes"};
  for (auto&& setting : merge_settings()) settings.push_back(std::move(setting));
  for (auto&& setting : record_settings(&Options::columns, &Options::policy, Removals::by_key)) {
    if (is_of_a_table(setting)) settings.push_back(std::move(setting));
  }
  settings.push_back(types_setting());
  return settings;
}

Setting tables_setting() {
  return {.path = "tables",
          .binding = config::table_list<Options>(&Options::tables, settings_of_a_table()),
          .text =
              "Several tables instead of one: a record goes into each of them that takes it, all "
              "in one transaction, in the order in which they stand here. Each has its own "
              "`table`, `routes`, `route`, `path`, `columns`, `write`, `key`, `version`, "
              "`deletes`, `on_conflict`, `tombstones` and `types`, which then do not stand "
              "outside. "
              "[Several tables](../guides/several-tables.md).",
          .example =
              "[{ table = \"orders\" }, { table = \"items\", path = \"$.items\", columns = { "
              "order_id = \"@value.id\" } }]"};
}

/// What becomes of a row whose key is in the table.
std::vector<Setting> merge_settings() {
  const config::Field<record::Policy> policy(&Options::policy);
  return {
      {.path = "write",
       .binding =
           choice<Write>(&Options::write, {{"append", Write::append}, {"upsert", Write::upsert}}),
       .text = "`append`: each record is a row. `upsert`: of each key the last record is the row. "
               "[Upsert, deletes, history](../guides/upsert.md)."},
      {.path = "key",
       .binding = config::text_list(&Options::key, check_identifier),
       .text = "With `write = \"upsert\"`: the columns of a unique index, by which rows are found. "
               "Default: the primary key. A record without one of them is bad.",
       .example = "[\"shop\", \"number\"]"},
      {.path = "version",
       .binding = text(&Options::version, check_identifier),
       .text =
           "With `write = \"upsert\"`: a column; a record whose value is lower than the row's "
           "changes nothing. For keys whose records come out of order, or from several partitions.",
       .example = "\"updated_at\""},
      {.path = "deletes.when",
       .binding = text(policy.of(&record::Policy::removes_from), check_mapping),
       .text =
           "With `write = \"upsert\"`: where a record with a value says that the row of its key is "
           "to go: a path or a part, as in `columns`.",
       .example = "\"$.op\""},
      {.path = "deletes.is",
       .binding = config::text_list(policy.of(&record::Policy::removes_if)),
       .text = "What stands there then, as the record spells it: one of these.",
       .example = "[\"d\", \"delete\"]"},
      {.path = "deletes.set",
       .binding = text(&Options::marks_removed, check_identifier),
       .text =
           "A column that says of a row that it was removed, instead of removing it: a boolean "
           "becomes true, a date or timestamp the time of the transaction. A later record of the "
           "key takes it back.",
       .example = "\"deleted_at\""},
      {.path = "on_conflict",
       .binding = choice<OnConflict>(&Options::on_conflict,
                                     {{"bad", OnConflict::bad}, {"ignore", OnConflict::ignore}}),
       .text = "With `write = \"append\"`, a row that meets one with its key: `bad` makes it a bad "
               "record, `ignore` leaves it out and counts it as suppressed."},
  };
}

/// How the server is spoken to.
std::vector<Setting> session_settings() {
  return {
      {.path = "epoch_unit",
       .binding =
           choice<EpochUnit>(&Options::epoch_unit, {{"seconds", EpochUnit::seconds},
                                                    {"milliseconds", EpochUnit::milliseconds},
                                                    {"microseconds", EpochUnit::microseconds}}),
       .text = "The unit of a JSON number in a `timestamp` or `timestamptz` column, counted from "
               "1970-01-01 00:00 UTC. `date` and `time` columns take no numbers: days and "
               "milliseconds look alike."},
      {.path = "synchronous_commit",
       .binding = boolean(&Options::synchronous_commit),
       .text = "`false` lets PostgreSQL answer COMMIT before it is on disk. A crash of the "
               "server may then take back the last moments, rows and offsets alike. semel "
               "reads them again, as long as Kafka still has them."},
      {.path = "connect_timeout",
       .binding = duration(&Options::connect_timeout_ms, {config::second_ms, config::hour_ms}),
       .text = "How long one attempt to connect may take.",
       .example = "\"5s\""},
      {.path = "statement_timeout",
       .binding = duration(&Options::statement_timeout_ms, {0, config::day_ms}),
       .text =
           "PostgreSQL's `statement_timeout` for semel's transactions. `\"0s\"`: the server's own "
           "setting. `semel status`, `offsets` and `verify` wait this long for an answer, and "
           "`connect_timeout` on top; 30 seconds where it is `\"0s\"`.",
       .example = "\"2m\""},
  };
}

/// Where semel keeps how far it has come.
std::vector<Setting> ledger_settings() {
  return {
      {.path = "ledger.schema",
       .binding = text(&Options::ledger_schema, check_identifier),
       .text = "Schema of the ledger tables. Default: the first one of the search path.",
       .example = "\"semel\""},
      {.path = "ledger.create",
       .binding = boolean(&Options::create_ledger),
       .text =
           "Whether `semel run` makes the ledger tables where they are missing. `false`: they must "
           "exist; `semel sql FILE` prints what makes them."},
      {.path = "ledger.owners",
       .binding = text(&Options::owners_table, check_identifier),
       .text = "Name of the table that says who owns each pipeline."},
      {.path = "ledger.progress",
       .binding = text(&Options::progress_table, check_identifier),
       .text = "Name of the table that holds how far each partition has come."},
      {.path = "ledger.commits",
       .binding = text(&Options::commits_table, check_identifier),
       .text = "Name of the table of history, from which `semel verify` proves the chain."},
      {.path = "ledger.dead_letters",
       .binding = text(&Options::dead_letters_table, check_identifier),
       .text = "Name of the table of records that could not be rows."},
      {.path = "ledger.keep_commits",
       .binding = duration(&Options::keep_commits_hours, {0, 365ll * 100 * config::day_ms},
                           config::hour_ms),
       .text = "Age at which rows of the history are removed, in whole hours; the newest row of "
               "each partition always stays. `\"0s\"`: never.",
       .example = "\"30d\""},
      {.path = "ledger.keep_dead_letters",
       .binding = duration(&Options::keep_dead_letters_hours, {0, 365ll * 100 * config::day_ms},
                           config::hour_ms),
       .text = "Age at which dead letters are removed, in whole hours, while the pipeline runs; a "
               "warning says how many. What is removed can come back from Kafka only. `\"0s\"`: "
               "never. The role needs DELETE on the table for it.",
       .example = "\"90d\""},
  };
}

/// Four tables, so four names.
void check_ledger_names(const Options& options, config::Whole& file) {
  std::set<std::string> names;
  for (const auto& [setting, name] :
       {std::pair("ledger.owners", options.owners_table),
        std::pair("ledger.progress", options.progress_table),
        std::pair("ledger.commits", options.commits_table),
        std::pair("ledger.dead_letters", options.dead_letters_table)}) {
    if (!names.insert(name).second) {
      file.problem(setting, fmt::format("is {} as well: the four ledger tables need four names",
                                        config::quoted(name)));
    }
  }
}

using Tell = std::function<void(const std::string& setting, const std::string& text)>;

/// What is of no use without upsert would be passed over.
void check_merging(const Options& options, const Tell& problem) {
  const bool upserts = options.write == Write::upsert;
  const auto& policy = options.policy;
  for (const auto& [setting, given] :
       {std::pair("key", !options.key.empty()), std::pair("version", !options.version.empty()),
        std::pair("deletes.when", !policy.removes_from.empty()),
        std::pair("deletes.set", !options.marks_removed.empty()),
        std::pair("tombstones", policy.tombstones == record::Tombstones::remove)}) {
    if (given && !upserts) problem(setting, "needs write = \"upsert\"");
  }
  if (upserts && options.on_conflict == OnConflict::ignore) {
    problem("on_conflict", "is of write = \"append\": an upsert meets its key as usual");
  }
  if (policy.removes_from.empty() != policy.removes_if.empty()) {
    problem(policy.removes_from.empty() ? "deletes.is" : "deletes.when",
            "goes with the other: deletes.when says where, deletes.is what");
  }
  if (upserts && !options.marks_removed.empty() && !policy.removes()) {
    problem("deletes.set", "needs deletes.when or tombstones = \"delete\": nothing removes a row");
  }
}

/// As SQL has them; nothing that could end its statement.
void check_types(const Options& rule, const Tell& problem) {
  constexpr auto allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .,()[]\"";
  for (const auto& [column, type] : rule.types) {
    if (!type.empty() && type.find_first_not_of(allowed) == std::string::npos) continue;
    problem("types", fmt::format("has for {} what is no type, such as numeric(12,2) or timestamptz",
                                 config::key_text(column)));
  }
  if (!rule.types.empty() && !rule.create && rule.evolve == Evolve::none) {
    problem("types", "is of columns that are made: with create = true or evolve = \"add\"");
  }
}

/// Names in routes are looked at as `table` is, and nothing is filled in.
void check_routes(const Options& rule, const Tell& problem) {
  for (const auto& [said, table] : rule.route.to) {
    auto mistake = name_mistake(table);
    if (mistake.empty() && record::has_groups(table)) mistake = "has a group, which only table has";
    if (!mistake.empty()) problem("routes", fmt::format("{}: {}", config::quoted(said), mistake));
  }
  if (!rule.writes_rows()) problem("routes", "is empty, and there is no table");
}

/// What stands outside, and is of a table.
void check_several(const Options& options, config::Whole& file) {
  if (options.tables.empty()) return;
  for (const auto& setting : settings_of_a_table()) {
    if (file.given(setting.path) == nullptr) continue;
    file.problem(setting.path, "stands in each of the tables, where there are several");
  }
}

void check_tables(const Options& options, config::Whole& file) {
  const auto rules = table_rules(options);
  const bool several = !options.tables.empty();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Tell problem = [&](const std::string& setting, const std::string& text) {
      if (!several) return file.problem(setting, text);
      file.problem("tables", fmt::format("[{}]: {} {}", i + 1, setting, text));
    };
    check_merging(rules[i], problem);
    check_types(rules[i], problem);
    if (several || file.given("routes") != nullptr) check_routes(rules[i], problem);
  }
  check_several(options, file);
}

}  // namespace

config::Section settings() {
  config::Section section{.path = "sink.postgres", .defaults = config::Part::of(Options{})};
  section.settings.push_back(dsn_setting());
  for (auto&& part : {target_settings(), std::vector<Setting>{tables_setting()}, making_settings(),
                      std::vector<Setting>{types_setting()}, merge_settings(),
                      record_settings(&Options::columns, &Options::policy, Removals::by_key),
                      session_settings(), ledger_settings()}) {
    section.settings.insert(section.settings.end(), part.begin(), part.end());
  }
  section.check = [](const config::Part& part, config::Whole& file) {
    check_ledger_names(part.as<Options>(), file);
    check_tables(part.as<Options>(), file);
  };
  return section;
}

}  // namespace semel::postgres
