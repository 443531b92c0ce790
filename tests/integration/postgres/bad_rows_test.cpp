// Rows that the server refuses: protocol, section 4.
#include <fmt/format.h>
#include <future>

#include "integration/postgres/rig.hpp"
#include "support/hostile_postgres.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

namespace {

struct Case {
  const char* what;
  const char* ddl;
  const char* sqlstate;
};

}  // namespace

TEST_CASE("rows that the server refuses become dead letters, and only those") {
  // Every 500th row has n = -1, and is what the table refuses.
  const auto kind = GENERATE(values<Case>({
      {"check", "CREATE TABLE t (id bigint, n bigint CHECK (n >= 0))", "23514"},
      {"foreign key",
       "CREATE TABLE p (n bigint PRIMARY KEY); INSERT INTO p SELECT generate_series(0, 9999);"
       "CREATE TABLE t (id bigint, n bigint REFERENCES p)",
       "23503"},
      {"deferred foreign key",
       "CREATE TABLE p (n bigint PRIMARY KEY); INSERT INTO p SELECT generate_series(0, 9999);"
       "CREATE TABLE t (id bigint, n bigint REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
       "23503"},
      {"unique", "CREATE TABLE t (id bigint, n bigint UNIQUE); INSERT INTO t VALUES (-1, -1)",
       "23505"},
      {"deferred unique",
       "CREATE TABLE t (id bigint, n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
       "INSERT INTO t VALUES (-1, -1)",
       "23505"},
      {"domain",
       "CREATE DOMAIN natural_number AS bigint CHECK (VALUE >= 0);"
       "CREATE TABLE t (id bigint, n natural_number)",
       "23514"},
      {"trigger before",
       "CREATE TABLE t (id bigint, n bigint); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE "
       "plpgsql AS $$BEGIN IF NEW.n < 0 THEN RAISE 'no negatives'; END IF; RETURN NEW; END$$;"
       "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
       "P0001"},
      {"constraint trigger, deferred",
       "CREATE TABLE t (id bigint, n bigint); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE "
       "plpgsql AS $$BEGIN IF NEW.n < 0 THEN RAISE 'no negatives'; END IF; RETURN NEW; END$$;"
       "CREATE CONSTRAINT TRIGGER r AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
       "EXECUTE FUNCTION refuse()",
       "P0001"},
      {"no partition",
       "CREATE TABLE t (id bigint, n bigint) PARTITION BY RANGE (n);"
       "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (5000);"
       "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (5000) TO (10000)",
       "23514"},
      {"generated column divides by zero",
       "CREATE TABLE t (id bigint, n bigint, g bigint GENERATED ALWAYS AS (1 / (n + 1)) STORED)",
       "22012"},
      {"view with check option",
       "CREATE TABLE base (id bigint, n bigint); CREATE VIEW v AS SELECT * FROM base;"
       "CREATE TABLE t (id bigint, n bigint); CREATE FUNCTION check_it() RETURNS trigger LANGUAGE "
       "plpgsql AS $$BEGIN IF NEW.n < 0 THEN RAISE EXCEPTION USING ERRCODE = '44000'; END IF; "
       "RETURN NEW; END$$; CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION "
       "check_it()",
       "44000"},
  }));
  INFO(kind.what);
  Database database;
  database.sql(kind.ddl);
  const auto before = database.number("SELECT count(*) FROM t");
  Writer writer(database.options(), "a");
  writer.start();
  constexpr Offset records = 5'000;
  const auto values = [](Offset o) {
    return fmt::format(R"({{"id": {}, "n": {}}})", o, o % 500 == 250 ? -1 : o);
  };
  const auto task = writer.task(0, records);
  const auto fast = writer.run(task, values);
  REQUIRE_FALSE(fast);
  CHECK(fast.error().kind == ErrorKind::bad_data);
  writer.session->abort();
  CHECK(database.number("SELECT count(*) FROM t") == before);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);

  const auto counts = committed(writer.run_carefully(task, values));
  CHECK(counts.dead_letters == 10);
  CHECK(counts.rows == records - 10);
  CHECK(database.number("SELECT count(*) FROM t") == before + records - 10);
  CHECK(database.number("SELECT count(DISTINCT id) FROM t WHERE id >= 0") == records - 10);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters WHERE \"offset\" % 500 = 250 AND "
                        "topic = 'clicks' AND batch_time = " +
                        std::to_string(task.time.ms)) == 10);
  CHECK(database.value("SELECT string_agg(DISTINCT sqlstate, ' ') FROM semel_dead_letters") ==
        kind.sqlstate);
  CHECK(database.value("SELECT convert_from(value, 'UTF8') FROM semel_dead_letters ORDER BY "
                       "\"offset\" LIMIT 1") == R"({"id": 250, "n": -1})");
  CHECK(database.value("SELECT convert_from(key, 'UTF8') FROM semel_dead_letters LIMIT 1") ==
        "key");
  writer.store(records, records + 1'000,
               [](Offset o) { return fmt::format(R"({{"id": {0}, "n": {0}}})", o); });
}

TEST_CASE("the first of two rows with the same key is stored, the second is the bad one") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, n bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto values = [](Offset o) { return fmt::format(R"({{"id": {}, "n": {}}})", o / 2, o); };
  const auto counts = committed(writer.run_carefully(writer.task(0, 3'000), values));
  CHECK(counts.rows == 1'500);
  CHECK(counts.dead_letters == 1'500);
  CHECK(database.number("SELECT count(*) FROM t WHERE n % 2 = 0") == 1'500);
}

TEST_CASE("an index row that is too large is bad data") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, s text); CREATE INDEX ON t (s)");
  Writer writer(database.options(), "a");
  writer.start();
  std::string large;
  for (int i = 0; i < 3'000; ++i)
    large += fmt::format("{:x}", i * 2'654'435'761U);  // incompressible
  const auto values = [&](Offset o) {
    return fmt::format(R"({{"id": {}, "s": "{}"}})", o, o == 7 ? large : "small");
  };
  CHECK(committed(writer.run_carefully(writer.task(0, 20), values)).dead_letters == 1);
  CHECK(database.value("SELECT sqlstate FROM semel_dead_letters") == "54000");
}

TEST_CASE("a range that was committed after all is not hunted through for duplicates") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer writer(database.options(), "a");
  writer.start();
  auto task = writer.task(0, 100'000);
  committed(writer.run(task, id_only));
  // What a process sees that does not know: every row is a duplicate key.
  const auto again = writer.run(task, id_only);
  if (!again) CHECK(again.error().kind == ErrorKind::bad_data);
  writer.session->abort();
  task.careful = true;
  CHECK(refused(writer.run(task, id_only)).ledger.until == 100'000);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
  CHECK(database.number("SELECT count(*) FROM t") == 100'000);
}

TEST_CASE("a range that is bad from end to end stops the pipeline and says why") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, n bigint CHECK (n > 0))");
  auto options = database.options();
  const auto bad = [](Offset o) { return fmt::format(R"({{"id": {}, "n": 0}})", o); };
  const auto good = [](Offset o) { return fmt::format(R"({{"id": {}, "n": 1}})", o); };
  SECTION("found by the server") {
    Writer writer(options, "a");
    writer.start();
    const auto result = writer.run_carefully(writer.task(0, 1'000), bad);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::fatal);
    CHECK(result.error().cause == Cause::bad_record);
    CHECK_THAT(result.error().message, Catch::Contains("23514") && Catch::Contains("1000 of 1000"));
  }
  SECTION("found by the encoder, over many small ranges") {
    Writer writer(options, "a");
    writer.start();
    for (Offset at = 0; at < 99; ++at) {
      writer.store(at, at + 1, [](Offset) { return "not json"; });
    }
    const auto result = writer.run(writer.task(99, 100), [](Offset) { return "not json"; });
    REQUIRE_FALSE(result);
    CHECK(result.error().cause == Cause::bad_record);
    CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 99);
    // A good record breaks the row.
    writer.session->abort();
    writer.store(99, 100, good);
    writer.store(100, 199, [](Offset) { return "not json"; });
  }
  SECTION("but not when the range is not ours any more") {
    Writer writer(options, "a");
    writer.start();
    REQUIRE_FALSE(must(writer.in_session().begin(writer.task(0, 1'000))));
    must(writer.write(0, 1'000, [](Offset) { return "not json"; }));
    database.sql("UPDATE semel_owners SET epoch = 99; UPDATE semel_progress SET epoch = 99");
    CHECK(refused(writer.session->commit({})).ledger.epoch == 99);
  }
  CHECK(database.number("SELECT count(*) FROM t WHERE n = 0") == 0);
}

TEST_CASE("on_bad_record = stop stops at the record and names it") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, n bigint CHECK (n >= 0))");
  auto options = database.options();
  options.on_bad_record = postgres::OnBadRecord::stop;
  Writer writer(options, "a");
  writer.start();
  const auto task = writer.task(0, 3'000);
  std::string value;
  SECTION("found by the encoder") {
    value = R"({"id": "x", "n": 1})";
  }
  SECTION("found by the server") {
    value = R"({"id": 1, "n": -1})";
  }
  const auto result =
      writer.run_carefully(task, [&](Offset o) { return o == 2'222 ? value : id_only(o); });
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::bad_record);
  CHECK_THAT(result.error().message, Catch::Contains("clicks[0] offset 2222"));
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("any bytes can be a dead letter") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  std::string junk;
  for (int i = 0; i < 256; ++i) junk += static_cast<char>(i);
  const Record record{.offset = 0,
                      .key = junk,
                      .value = junk,
                      .headers = {&junk, [](const void* bytes, std::vector<Header>& into) {
                                    const auto& text = *static_cast<const std::string*>(bytes);
                                    into = {{"h", text}, {text, std::nullopt}};
                                  }}};
  REQUIRE_FALSE(must(writer.in_session().begin(writer.task(0, 1))));
  must(writer.session->write(std::span(&record, 1)));
  CHECK(committed(writer.session->commit({})).dead_letters == 1);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters WHERE key = value AND "
                        "length(value) = 256 AND timestamp_ms IS NULL") == 1);
  CHECK(database.value("SELECT convert_from(headers, 'UTF8')::json -> 0 ->> 'name' FROM "
                       "semel_dead_letters") == "h");
}

TEST_CASE("many dead letters are written while rows go on") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  const std::string long_text(1'000, 'x');
  const auto counts = writer.store(0, 20'000, [&](Offset o) {
    return o % 4 == 0 ? R"({"id": ")" + long_text + "\"}" : id_only(o);
  });
  CHECK(counts.rows == 15'000);
  CHECK(counts.dead_letters == 5'000);
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 15'000);
  CHECK(database.number("SELECT count(DISTINCT \"offset\") FROM semel_dead_letters") == 5'000);
  CHECK(database.value(
            "SELECT rows || ' ' || dead_letters FROM semel_commits WHERE kind = 'commit'") ==
        "15000 5000");
}

TEST_CASE("hunting for bad rows again and again leaves one prepared guard in the session") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY); CREATE TABLE prepared (guards bigint);"
      "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO prepared "
      "SELECT count(*) FROM pg_prepared_statements; RETURN NULL; END';"
      "CREATE TRIGGER look AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION look()");
  Writer writer(database.options(), "a");
  writer.start();
  for (Offset from = 0; from < 50; from += 10) {
    // The first record of each range is a duplicate from the second range on.
    const auto values = [from](Offset offset) { return id_only(offset == from ? 0 : offset); };
    CHECK(committed(writer.run_carefully(writer.task(from, from + 10), values)).rows > 0);
  }
  CHECK(database.number("SELECT max(guards) FROM prepared") == 1);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 4);
}

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
  const auto counts = committed(writer.run_carefully(writer.task(0, count), [&](Offset o) {
    return id_and(o, o == bad ? type.bad : type.good);
  }));
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
  const auto counts = committed(writer.run_carefully(writer.task(0, 100), values));
  CHECK(counts.dead_letters == 1);
  CHECK(counts.rows == 99);
  CHECK(dead(database) == fmt::format("77:{}:", code));
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
    database.sql("DROP TRIGGER r ON t; CREATE TRIGGER r BEFORE INSERT ON t FOR EACH STATEMENT "
                 "EXECUTE FUNCTION refuse()");
  }
  Writer writer(database.options(), "a");
  writer.start();
  const auto result = writer.run_carefully(
      writer.task(0, one ? 1 : 5'000), [](Offset o) { return id_and(o, R"("x")"); });
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::sink);
  CHECK_THAT(result.error().message, Catch::Contains(sqlstate));
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
  CHECK(database.number("SELECT until_offset FROM semel_progress") == 0);
}

TEST_CASE("rows that are good in their whole transaction are stored, though they lean on later ones") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
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
  const auto counts = committed(writer.run_carefully(writer.task(0, rows), values));
  CHECK(counts.dead_letters == 2);
  CHECK(counts.rows == rows - 2);
  CHECK(database.number("SELECT count(*) FROM t") == rows - 2);
  CHECK_THAT(dead(database), Catch::Contains("1700:") && Catch::Contains("1701:23503:v"));
}

TEST_CASE("a bad record does not make others bad that only the end of the range can judge") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
               "DEFERRED, n bigint CHECK (n > 0))");
  Writer writer(database.options(), "a");
  writer.start();
  // Children before their parents, far apart, and one record that is bad for another reason.
  const auto values = [](Offset o) {
    return fmt::format(R"({{"id": {}, "v": {}, "n": {}}})", o,
                       o < 1'500 ? std::to_string(o + 1'500) : "null", o == 2'734 ? 0 : 1);
  };
  auto counts = committed(writer.run_carefully(writer.task(0, 3'000), values));
  // Its own child has lost its parent.
  CHECK(counts.dead_letters == 2);
  CHECK(dead(database) == "1234:23503:v 2734:23514:n");
  CHECK(database.number("SELECT count(*) FROM t") == 2'998);
}

TEST_CASE("rows that only go in together are stored beside one that is bad") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v bigint REFERENCES t DEFERRABLE INITIALLY "
               "DEFERRED)");
  Writer writer(database.options(), "a");
  writer.start();
  // Pairs that lean on each other, as far apart as the range allows; 1234 leans on nobody's.
  const auto values = [](Offset o) {
    return id_and(o, std::to_string(o == 1'234 ? -1 : 2'999 - o));
  };
  const auto counts = committed(writer.run_carefully(writer.task(0, 3'000), values));
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
      {R"("b": "999.1.1.1")", "b"}, {R"("m": "OKAY")", "m"}, {R"("n": 0)", "n"},
      {R"("e": 3)", "e"},           {R"("l": 2, "h": 1)", "l, h"},
      {R"("x": 12345)", "x"},       {R"("i": "999 yeers")", "i"}};
  const auto values = [&](Offset o) {
    const auto at = static_cast<std::size_t>(o);
    return fmt::format(R"({{"id": {}, {}}})", o, at < cases.size() ? cases[at].first : R"("n": 1)");
  };
  SECTION("in the dead letter") {
    Writer writer(options, "a");
    writer.start();
    const auto all = static_cast<Offset>(cases.size());
    CHECK(committed(writer.run_carefully(writer.task(0, all + 1), values)).rows == 1);
    for (Offset o = 0; o < all; ++o) {
      const auto& [value, column] = cases[static_cast<std::size_t>(o)];
      INFO(value);
      CHECK(database.value(fmt::format(
                "SELECT column_name FROM semel_dead_letters WHERE \"offset\" = {}", o)) == column);
    }
  }
  SECTION("where it stops") {
    options.on_bad_record = postgres::OnBadRecord::stop;
    Writer writer(options, "a");
    writer.start();
    const auto bad = GENERATE(range(0, 7));
    const auto result = writer.run_carefully(
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
  database.sql("CREATE TABLE t (id bigint); CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql "
               "AS $$BEGIN IF NEW.id % 10 = 3 THEN RETURN NULL; END IF; RETURN NEW; END$$;"
               "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()");
  Writer writer(database.options(), "a");
  writer.start();
  const bool careful = GENERATE(false, true);
  auto task = writer.task(0, 5'000);
  task.careful = careful;
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
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(0, 999)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto result = writer.run_carefully(writer.task(0, 1'000), id_only);
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
  const auto counts = committed(writer.run_carefully(writer.task(0, 2'500), values));
  CHECK(counts.dead_letters == 2);
  CHECK(dead(database) == fmt::format("899:{0}: 1799:{0}:", code));
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 2'498);
}
