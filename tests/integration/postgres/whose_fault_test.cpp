// Whose fault it is that the server refuses a range: the record's, the table's, or nobody's
// (docs/decisions/0009).
#include <fmt/format.h>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"
#include "support/hostile_postgres.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// {"id": <offset>, "v": <value>}
std::string id_and(Offset offset, const std::string& value) {
  return fmt::format(R"({{"id": {}, "v": {}}})", offset, value);
}

std::string dead(const Database& database) {
  return database.value(
      "SELECT string_agg(\"offset\" || ':' || sqlstate || ':' || coalesce(column_name, ''), ' ' "
      "ORDER BY \"offset\") FROM semel_dead_letters");
}

/// A trigger that raises `code` where v is 'bad'.
std::string raises(const std::string& code, const std::string& when = "NEW.v = 'bad'") {
  return fmt::format(
      "CREATE TABLE t (id bigint, v text); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE "
      "plpgsql AS $$BEGIN IF {} THEN RAISE EXCEPTION USING ERRCODE = '{}', MESSAGE = 'so'; END IF; "
      "RETURN NEW; END$$; CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION "
      "refuse()",
      when, code);
}

}  // namespace

TEST_CASE("one bad record is set aside whatever code its type chooses") {
  // As they come with PostgreSQL; good, bad.
  struct Type {
    const char* name;
    const char* good;
    const char* bad;
    const char* sqlstate;
  };
  const auto type = GENERATE(values<Type>({
      {"tsvector", R"("a")", R"("'a")", "42601"},
      {"tsquery", R"("a")", R"("a &")", "42601"},
      {"jsonpath", R"("$.a")", R"("$.")", "42601"},
      {"regclass", R"("pg_class")", R"("nosuch")", "42P01"},
      {"regtype", R"("integer")", R"("nosuch")", "42704"},
      {"regproc", R"("now")", R"("nosuch")", "42883"},
      {"regclass", R"("pg_class")", R"("")", "42602"},
      {"regnamespace", R"("pg_catalog")", R"("nosuch")", "3F000"},
  }));
  INFO(type.name << " " << type.bad);
  const auto count = GENERATE(1, 3);
  Database database;
  database.sql(fmt::format("CREATE TABLE t (id bigint, v {})", type.name));
  Writer writer(database.options(), "a");
  writer.start();
  const auto bad = count / 2;
  const auto counts = committed(writer.run_isolating(
      writer.task(0, count), [&](Offset o) { return id_and(o, o == bad ? type.bad : type.good); }));
  CHECK(counts.dead_letters == 1);
  CHECK(database.number("SELECT count(*) FROM t") == count - 1);
  CHECK(dead(database) == fmt::format("{}:{}:v", bad, type.sqlstate));
}

TEST_CASE("one bad record is set aside whatever code a trigger raises for it") {
  const std::string code =
      GENERATE("42601", "42501", "42P01", "42883", "XX001", "U1234", "0A000", "28000", "22P04",
               // Of what may pass by itself: at the last resort.
               "40001", "40P01", "53100", "57014", "55P03", "25006", "XX000", "57P01", "08006");
  INFO(code);
  Database database;
  database.sql(raises(code));
  Writer writer(database.options(), "a");
  writer.start();
  const auto values = [](Offset o) { return id_and(o, o == 77 ? R"("bad")" : R"("good")"); };
  const auto counts = committed(writer.run_isolating(writer.task(0, 100), values));
  CHECK(counts.dead_letters == 1);
  CHECK(counts.rows == 99);
  CHECK(dead(database) == fmt::format("77:{}:", code));
}

TEST_CASE(
    "a value that its type refuses as an internal error is bad at once, and costs no waiting") {
  Database database;
  database.sql(
      "CREATE FUNCTION fits(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN IF $1 = 'bad' THEN "
      "RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'unexpected end of string'; END IF; "
      "RETURN "
      "true; END$$; CREATE DOMAIN picky AS text CHECK (fits(VALUE))");
  const std::string format = GENERATE("text", "binary");
  INFO(format);
  database.sql(fmt::format("CREATE TABLE t (id bigint, v picky{})",
                           format == "text" ? ", i interval DEFAULT '1 day'" : ""));
  Writer writer(database.options(), "a");
  writer.start();
  const auto values = [](Offset o) { return id_and(o, o == 77 ? R"("bad")" : R"("good")"); };
  auto task = writer.task(0, 100);
  const auto streamed = writer.run(task, values);
  REQUIRE_FALSE(streamed);
  CHECK(streamed.error().kind == ErrorKind::bad_data);
  task.isolate = true;
  const auto counts = committed(writer.run(task, values));
  CHECK(counts.rows == 99);
  CHECK(dead(database) == "77:XX000:v");
}

TEST_CASE("an internal error that has to do with no value is tried again") {
  Database database;
  database.sql(raises("XX000"));
  Writer writer(database.options(), "a");
  writer.start();
  auto task = writer.task(0, 10);
  task.isolate = GENERATE(false, true);
  const auto met =
      writer.run(task, [](Offset o) { return id_and(o, o == 7 ? R"("bad")" : R"("good")"); });
  REQUIRE_FALSE(met);
  CHECK(met.error().kind == ErrorKind::retriable);
}

TEST_CASE("a row that waits for somebody's lock is good, however short the role's patience is") {
  Database database(Database::Kind::own);
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
  pqxx::connection other(database.dsn);
  database.sql(
      fmt::format("DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET {}', "
                  "current_database()); END$$",
                  GENERATE("lock_timeout = ''200ms''", "statement_timeout = ''1s''")));
  Writer writer(database.options(), "a");
  writer.start();
  const auto values = [](Offset o) { return id_and(o, R"("x")"); };
  const auto task = writer.task(0, 5);
  {
    pqxx::work locks(other);
    locks.exec("INSERT INTO t VALUES (3, 'never')");
    const auto waiting = writer.run_isolating(task, values);
    REQUIRE_FALSE(waiting);
    CHECK(waiting.error().cause == Cause::sink);
    // Waited for without limit, and told as what it is.
    CHECK(waiting.error().kind == ErrorKind::unavailable);
    CHECK_THAT(waiting.error().message, Catch::Contains("55P03"));
  }
  writer.in_session().abort();
  const auto counts = committed(writer.run_isolating(task, values));
  CHECK(counts.rows == 5);
  CHECK(counts.dead_letters == 0);
}

TEST_CASE("a row that takes too long by itself is set aside") {
  Database database(Database::Kind::own);
  database.sql(
      "CREATE TABLE t (id bigint, v text); CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
      "AS 'BEGIN IF NEW.id = 3 THEN PERFORM pg_sleep(10); END IF; RETURN NEW; END';"
      "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow();"
      "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''1s''', "
      "current_database()); END$$");
  Writer writer(database.options(), "a");
  writer.start();
  const auto counts = committed(
      writer.run_isolating(writer.task(0, 5), [](Offset o) { return id_and(o, R"("x")"); }));
  CHECK(counts.dead_letters == 1);
  CHECK(dead(database) == "3:57014:");
}

TEST_CASE("an outage of the server of one partition makes no dead letters") {
  Database database;
  database.sql(
      "CREATE EXTENSION postgres_fdw; CREATE SERVER gone FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
      "(host '127.0.0.1', port '1'); CREATE USER MAPPING FOR CURRENT_USER SERVER gone;"
      "CREATE TABLE t (id bigint, v text) PARTITION BY LIST (v);"
      "CREATE TABLE t0 PARTITION OF t FOR VALUES IN ('here');"
      "CREATE FOREIGN TABLE t1 PARTITION OF t FOR VALUES IN ('there') SERVER gone");
  auto options = database.options();
  options.delivery = postgres::Delivery::at_least_once;
  Writer writer(options, "a");
  writer.start();
  const auto result = writer.run_isolating(writer.task(0, 6), [](Offset o) {
    return id_and(o, o % 2 == 0 ? R"("here")" : R"("there")");
  });
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error().message, Catch::Contains("08001"));
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE(
    "one late record is bad, though the trigger refuses the old rows of the table by now, too") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, v timestamptz); INSERT INTO t VALUES (0, '2000-01-01');"
      "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.v IS NULL OR "
      "NEW.v < "
      "now() - interval '1 day' THEN RAISE EXCEPTION 'too old'; END IF; RETURN NEW; END$$;"
      "CREATE TRIGGER late BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION late()");
  Writer writer(database.options(), "a");
  writer.start();
  const auto late = [](Offset o) { return id_and(o, R"("2020-01-01T00:00:00Z")"); };
  CHECK(committed(writer.run_isolating(writer.task(0, 1), late)).dead_letters == 1);
  CHECK(committed(writer.run_isolating(writer.task(1, 21), late)).dead_letters == 20);
  CHECK(writer.store(21, 22, [](Offset o) { return id_and(o, R"("infinity")"); }).rows == 1);
}

TEST_CASE("a row that waits for a lock in another server is good") {
  const Database here;
  const Database there(Database::Kind::own);
  there.sql("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)");
  there.sql(
      "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''1s''', "
      "current_database()); END$$");
  here.sql(
      fmt::format("CREATE EXTENSION postgres_fdw; CREATE SERVER there FOREIGN DATA WRAPPER "
                  "postgres_fdw OPTIONS "
                  "(host '127.0.0.1', port '{}', dbname '{}'); CREATE USER MAPPING FOR "
                  "CURRENT_USER SERVER there "
                  "OPTIONS (user 'postgres');"
                  "CREATE TABLE t (id bigint, v bigint) PARTITION BY LIST (v);"
                  "CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0);"
                  "CREATE FOREIGN TABLE t1 PARTITION OF t FOR VALUES IN (1) SERVER there OPTIONS "
                  "(table_name 't')",
                  PostgresServer::shared().port(), there.value("SELECT current_database()")));
  auto options = here.options();
  options.delivery = postgres::Delivery::at_least_once;
  pqxx::connection other(there.dsn);
  pqxx::work locks(other);
  locks.exec("SET statement_timeout = 0");
  locks.exec("INSERT INTO t VALUES (3, 9)");
  Writer writer(options, "a");
  writer.start();
  const auto result = writer.run_isolating(
      writer.task(0, 6), [](Offset o) { return id_and(o, o % 2 == 0 ? "0" : "1"); });
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error().message, Catch::Contains("57014"));
  CHECK(here.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("what the table itself refuses is no record's fault, whatever its code") {
  Database database;
  const bool one = GENERATE(true, false);
  std::string sqlstate;
  SECTION("a trigger for each row") {
    sqlstate = GENERATE("42601", "42501", "42P01", "42883", "U1234");
    database.sql(raises(sqlstate, "true"));
  }
  SECTION("a trigger of the statement") {
    sqlstate = GENERATE("42601", "P0001", "23514");
    database.sql(raises(sqlstate, "true"));
    database.sql(
        "DROP TRIGGER r ON t; CREATE TRIGGER r BEFORE INSERT ON t FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse()");
  }
  Writer writer(database.options(), "a");
  writer.start();
  const auto result = writer.run_isolating(writer.task(0, one ? 1 : 5'000),
                                           [](Offset o) { return id_and(o, R"("x")"); });
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::sink);
  CHECK_THAT(result.error().message, Catch::Contains(sqlstate));
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
  CHECK(database.number("SELECT until_offset FROM semel_progress") == 0);
}

TEST_CASE(
    "rows that are good in their whole transaction are stored, though they lean on later ones") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
      "DEFERRED)");
  Writer writer(database.options(), "a");
  writer.start();
  constexpr Offset rows = 3'000;
  // Each leans on the last record of the range; 1700 on one that is never there; 1701 on it.
  const auto bad_by = GENERATE(0, 1, 2);
  const auto values = [&](Offset o) {
    if (o == 1'700 && bad_by == 0) return id_and(o, "-1");
    if (o == 1'700 && bad_by == 1) return id_and(o, R"("x")");  // the encoder finds it
    if (o == 1'700) return id_and(12, "null");                  // there already
    return id_and(o, o == 1'701 ? "1700" : std::to_string(rows - 1));
  };
  const auto counts = committed(writer.run_isolating(writer.task(0, rows), values));
  CHECK(counts.dead_letters == 2);
  CHECK(counts.rows == rows - 2);
  CHECK(database.number("SELECT count(*) FROM t") == rows - 2);
  CHECK_THAT(dead(database), Catch::Contains("1700:") && Catch::Contains("1701:23503:v"));
}

TEST_CASE("a bad record does not make others bad that only the end of the range can judge") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
      "DEFERRED, n bigint CHECK (n > 0))");
  Writer writer(database.options(), "a");
  writer.start();
  // Children before their parents, far apart, and one record that is bad for another reason.
  const auto values = [](Offset o) {
    return fmt::format(R"({{"id": {}, "v": {}, "n": {}}})", o,
                       o < 1'500 ? std::to_string(o + 1'500) : "null", o == 2'734 ? 0 : 1);
  };
  auto counts = committed(writer.run_isolating(writer.task(0, 3'000), values));
  // Its own child has lost its parent.
  CHECK(counts.dead_letters == 2);
  CHECK(dead(database) == "1234:23503:v 2734:23514:n");
  CHECK(database.number("SELECT count(*) FROM t") == 2'998);
}

TEST_CASE("rows that only go in together are stored beside one that is bad") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
      "DEFERRED)");
  Writer writer(database.options(), "a");
  writer.start();
  // Pairs that lean on each other, as far apart as the range allows; 1234 leans on nobody's.
  const auto values = [](Offset o) {
    return id_and(o, std::to_string(o == 1'234 ? -1 : 2'999 - o));
  };
  const auto counts = committed(writer.run_isolating(writer.task(0, 3'000), values));
  CHECK(counts.dead_letters == 2);
  CHECK(dead(database) == "1234:23503:v 1765:23503:v");
  CHECK(database.number("SELECT count(*) FROM t") == 2'998);
}

TEST_CASE("the column is named for whatever the server refuses, and values stay out of the log") {
  Database database;
  database.sql(
      "CREATE TYPE mood AS enum ('ok'); CREATE DOMAIN even AS bigint CHECK (VALUE % 2 = 0);"
      "CREATE TABLE t (id bigint UNIQUE, i interval, b inet, m mood, n int CHECK (n > 0), e even, "
      "l int, h int, CONSTRAINT low_and_high CHECK (l < h), x bigint REFERENCES t (id))");
  auto options = database.options();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("b": "999.1.1.1")", "b"}, {R"("m": "OKAY")", "m"},       {R"("n": 0)", "n"},
      {R"("e": 3)", "e"},           {R"("l": 2, "h": 1)", "l, h"}, {R"("x": 12345)", "x"},
      {R"("i": "999 yeers")", "i"}};
  const auto values = [&](Offset o) {
    const auto at = static_cast<std::size_t>(o);
    return fmt::format(R"({{"id": {}, {}}})", o, at < cases.size() ? cases[at].first : R"("n": 1)");
  };
  SECTION("in the dead letter") {
    Writer writer(options, "a");
    writer.start();
    const auto all = static_cast<Offset>(cases.size());
    CHECK(committed(writer.run_isolating(writer.task(0, all + 1), values)).rows == 1);
    for (Offset o = 0; o < all; ++o) {
      const auto& [value, column] = cases[static_cast<std::size_t>(o)];
      INFO(value);
      CHECK(database.value(fmt::format(
                "SELECT column_name FROM semel_dead_letters WHERE \"offset\" = {}", o)) == column);
    }
  }
  SECTION("where it stops") {
    options.policy.on_bad_record = record::OnBadRecord::stop;
    Writer writer(options, "a");
    writer.start();
    const auto bad = GENERATE(range(0, 7));
    const auto result = writer.run_isolating(
        writer.task(0, 3), [&](Offset o) { return o == 1 ? values(bad) : values(100 + o); });
    REQUIRE_FALSE(result);
    CHECK(result.error().cause == Cause::bad_record);
    const auto& [value, column] = cases[static_cast<std::size_t>(bad)];
    CHECK_THAT(result.error().message, Catch::Contains("clicks[0] offset 1 ") &&
                                           Catch::Contains("column \"" + column + "\""));
    for (const auto* secret : {"999", "OKAY", "12345", "Failing row"}) {
      CHECK_THAT(result.error().message, !Catch::Contains(secret));
    }
  }
}

TEST_CASE("rows that a trigger suppresses are counted as such") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint); CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql "
      "AS $$BEGIN IF NEW.id % 10 = 3 THEN RETURN NULL; END IF; RETURN NEW; END$$;"
      "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()");
  Writer writer(database.options(), "a");
  writer.start();
  const bool isolate = GENERATE(false, true);
  auto task = writer.task(0, 5'000);
  task.isolate = isolate;
  const auto counts = committed(
      writer.run(task, [](Offset o) { return o == 7 ? std::string("not json") : id_only(o); }));
  CHECK(counts.rows == 4'499);
  CHECK(counts.suppressed == 500);
  CHECK(counts.dead_letters == 1);
  CHECK(database.number("SELECT count(*) FROM t") == 4'499);
  CHECK(database.number("SELECT rows FROM semel_commits WHERE kind = 'commit'") == 4'499);
}

TEST_CASE("records that are there already stop the pipeline with a word about who stored them") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(0, 999)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto result = writer.run_isolating(writer.task(0, 1'000), id_only);
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error().message,
             Catch::Contains("23505") && Catch::Contains("another pipeline"));
}

TEST_CASE("rows that a hostile server refuses with any code, at any line, are the bad ones") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, v text)");
  HostilePostgres proxy(PostgresServer::shared().port());
  auto options = database.options();
  options.dsn = fmt::format("postgresql://postgres@127.0.0.1:{}/{}", proxy.port(),
                            database.value("SELECT current_database()"));
  const std::string code = GENERATE("ZZ123", "42P01", "28000", "40001", "53100");
  INFO(code);
  proxy.add({.text = "poison", .times = 0, .sqlstate = code});
  Writer writer(options, "a");
  writer.start();
  // Escaped, so that the text is in the row and not in the dead letter, which is a COPY as well.
  const auto values = [](Offset o) {
    return id_and(o, o % 900 == 899 ? R"("poi\u0073on")" : R"("x")");
  };
  const auto counts = committed(writer.run_isolating(writer.task(0, 2'500), values));
  CHECK(counts.dead_letters == 2);
  CHECK(dead(database) == fmt::format("899:{0}: 1799:{0}:", code));
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 2'498);
}
