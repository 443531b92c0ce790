// The ledger of an earlier version is brought up in place; one of a later version is left alone.
#include <fmt/format.h>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>

#include "integration/postgres/rig.hpp"

namespace semel::test {

namespace {

/// A ledger of that version: its tables and what a pipeline "pipe", output "out" left there.
std::string ledger_of(int version) {
  std::ifstream file(
      fmt::format("{}/tests/integration/postgres/ledger_v{}.sql", SEMEL_SOURCE_ROOT, version));
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Everything that the catalogue says of the ledger's columns and indexes.
std::string shape(const Database& database) {
  return database.value(
             "SELECT string_agg(indexdef, E'\\n' ORDER BY indexdef) FROM pg_indexes WHERE "
             "indexname LIKE 'semel\\_%'") +
         database.value(
             "SELECT string_agg(concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, "
             "a.atttypmod), "
             "a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), E'\\n' ORDER BY c.relname, "
             "a.attname) "
             "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN "
             "pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relname LIKE "
             "'semel\\_%' "
             "AND c.relkind = 'r'");
}

const std::string version =
    "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = "
    "a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = 'semel_owners'::regclass AND a.attname "
    "= 'ledger_version'";

std::string messages(const std::vector<Finding>& findings, bool ok) {
  std::string text;
  for (const auto& finding : findings) {
    if (finding.ok == ok) text += finding.what + " " + finding.remedy + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("a ledger of an earlier semel is brought up in place, and goes on where it stood") {
  const auto before = GENERATE(1, 2);
  const auto named = fmt::format("of version {}", before);
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  database.sql(ledger_of(before));
  CHECK_THAT(messages(postgres::check(database.options()), true),
             Catch::Contains(named + " in schema public will be brought to version 3"));
  CHECK_THAT(postgres::open_ledger(database.options(), "pipe", "out").error().message,
             Catch::Contains(named) && Catch::Contains("semel run"));
  {
    const auto sink = must(postgres::make_sink(database.options(), {"pipe", "out", "b", "heir"}));
    const auto taken = must(sink->take_over("cluster"));
    CHECK(taken.epoch == 8);
    REQUIRE(taken.progress.size() == 1);
    CHECK(taken.progress[0].until == 20);
    CHECK(taken.progress[0].last == RecordMark{19, 1'700'000'000'019, 0x12345678});
    CHECK(taken.highest_batch_time.ms == 3'000);
  }
  const auto ledger = must(postgres::open_ledger(database.options(), "pipe", "out"));
  CHECK(moves_of(*ledger).size() == 3);
  CHECK(must(ledger->dead_letters()) == 1);
  CHECK(database.value(version) == "3");
  const auto brought_up = shape(database);
  // As one that was made today, and as the script leaves it, however often it is run.
  database.sql(postgres::ledger_ddl(database.options()));
  CHECK(shape(database) == brought_up);
  CHECK_THAT(brought_up, Catch::Contains("semel_dead_letters_place"));
  database.sql("DROP TABLE semel_owners, semel_progress, semel_commits, semel_dead_letters");
  database.sql(postgres::ledger_ddl(database.options()));
  CHECK(shape(database) == brought_up);
}

TEST_CASE("a ledger of a later version is refused by name, and not lowered by the script") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  database.sql(postgres::ledger_ddl(database.options()));
  database.sql("ALTER TABLE semel_owners ALTER COLUMN ledger_version SET DEFAULT 4711");
  const auto sink = must(postgres::make_sink(database.options(), {"pipe", "out", "a", "a"}));
  const auto taken = sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK(taken.error().cause == Cause::sink);
  CHECK_THAT(taken.error().message, Catch::Contains("of version 4711"));
  CHECK_THAT(messages(postgres::check(database.options()), false),
             Catch::Contains("of version 4711"));
  CHECK_THAT(postgres::open_ledger(database.options(), "pipe", "out").error().message,
             Catch::Contains("of version 4711"));
  CHECK_THROWS(database.sql(postgres::ledger_ddl(database.options())));
  CHECK(database.value(version) == "4711");
  CHECK(database.number("SELECT count(*) FROM semel_owners") == 0);
}

TEST_CASE("a role that may not bring the ledger up is told who may, by check and by run") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  database.sql(ledger_of(1));
  const auto role = unique_name("writer");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO {0};"
                  "GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}",
                  role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  const auto refused_by = [&] {
    const auto sink = must(postgres::make_sink(options, {"pipe", "out", "a", "a"}));
    const auto taken = sink->take_over("cluster");
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == ErrorKind::fatal);
    return taken.error().message;
  };
  CHECK_THAT(refused_by(), Catch::Contains("of version 1") && Catch::Contains("semel sql"));
  CHECK_THAT(messages(postgres::check(options), false),
             Catch::Contains("of version 1") && Catch::Contains("semel sql"));
  options.create_ledger = false;
  CHECK_THAT(refused_by(), Catch::Contains("ledger.create is false"));
  CHECK_THAT(messages(postgres::check(options), false), Catch::Contains("semel sql"));
  database.sql(postgres::ledger_ddl(options));
  must(must(postgres::make_sink(options, {"pipe", "out", "a", "a"}))->take_over("cluster"));
}

TEST_CASE("a table of dead letters that is made anew has the index of the others") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  must(must(postgres::make_sink(database.options(), {"pipe", "out", "a", "a"}))
           ->take_over("cluster"));
  const auto whole = shape(database);
  database.sql("DROP TABLE semel_dead_letters");
  must(must(postgres::make_sink(database.options(), {"pipe", "out", "b", "b"}))
           ->take_over("cluster"));
  CHECK(shape(database) == whole);
}

TEST_CASE("dead letters stay as long as they are to be kept, and their removal is said") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  std::string log;
  options.log = Log(
      [&](LogLevel level, std::string_view line) {
        if (level == LogLevel::warn) log.append(line).push_back('\n');
      },
      LogLevel::warn);
  const auto sink_with = [&](std::int64_t hours) {
    options.keep_dead_letters_hours = hours;
    auto sink = must(postgres::make_sink(options, {"pipe", "out", "a", "a"}));
    must(sink->take_over("cluster"));
    return sink;
  };
  const auto first = sink_with(0);
  for (const auto* whose : {"pipe", "other"}) {
    database.sql(fmt::format(
        "INSERT INTO semel_dead_letters (pipeline, output, topic, \"partition\", \"offset\", "
        "batch_time, sqlstate, reason, failed_at) SELECT '{}', 'out', 'clicks', 0, i, 1, '22P02', "
        "'not a number', now() - i * interval '1 hour' - interval '1 minute' FROM "
        "generate_series(0, 1499) i",
        whose));
  }
  const auto left = [&] {
    return database.value(
        "SELECT concat_ws(' ', count(*) FILTER (WHERE pipeline = 'pipe'), max(\"offset\") FILTER "
        "(WHERE pipeline = 'pipe'), count(*) FILTER (WHERE pipeline = 'other')) FROM "
        "semel_dead_letters");
  };
  CHECK_FALSE(must(first->trim()));
  CHECK(left() == "1500 1499 1500");
  CHECK(log.empty());
  const auto sink = sink_with(48);
  CHECK(must(sink->trim()));
  CHECK_FALSE(must(sink->trim()));
  CHECK(left() == "48 47 1500");
  CHECK_THAT(log, Catch::Contains("1000 dead letters older than 48 hours were removed") &&
                      Catch::Contains("452 dead letters") && Catch::Contains("keep_dead_letters"));
}

TEST_CASE("a frozen predecessor's transaction does not keep the ledger from being brought up") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  database.sql(ledger_of(1));
  pqxx::connection zombie(database.dsn + "?application_name=semel/pipe/out/5f1a7c52");
  pqxx::work copy(zombie);
  copy.exec("SELECT owner FROM semel_owners");
  const auto sink = must(postgres::make_sink(database.options(), {"pipe", "out", "b", "heir"}));
  CHECK(must(sink->take_over("cluster")).epoch == 8);
  CHECK(database.value(version) == "3");
  CHECK_THROWS(copy.exec("SELECT 1"));
}

}  // namespace semel::test
