// Rows that the server refuses: protocol, section 4.
#include <fmt/format.h>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

struct Case {
  const char* what;
  const char* ddl;
  const char* sqlstate;
};

/// Every 500th row has n = -1, and is what the table refuses.
const std::vector<Case> refusing{
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
};

}  // namespace

TEST_CASE("rows that the server refuses become dead letters, and only those") {
  const auto kind = GENERATE(from_range(refusing));
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

  const auto counts = committed(writer.run_isolating(task, values));
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
  const auto counts = committed(writer.run_isolating(writer.task(0, 3'000), values));
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
  CHECK(committed(writer.run_isolating(writer.task(0, 20), values)).dead_letters == 1);
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
  task.isolate = true;
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
    const auto result = writer.run_isolating(writer.task(0, 1'000), bad);
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
    REQUIRE_FALSE(must(writer.begin(writer.task(0, 1'000))));
    must(writer.write(0, 1'000, [](Offset) { return "not json"; }));
    database.sql("UPDATE semel_owners SET epoch = 99; UPDATE semel_progress SET epoch = 99");
    CHECK(refused(writer.commit()).ledger.epoch == 99);
  }
  CHECK(database.number("SELECT count(*) FROM t WHERE n = 0") == 0);
}

TEST_CASE("on_bad_record = stop stops at the record and names it") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, n bigint CHECK (n >= 0))");
  auto options = database.options();
  options.policy.on_bad_record = record::OnBadRecord::stop;
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
      writer.run_isolating(task, [&](Offset o) { return o == 2'222 ? value : id_only(o); });
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::bad_record);
  CHECK_THAT(result.error().message, Catch::Contains("clicks[0] offset 2222"));
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

namespace {

constexpr Objection too_cheap{.reason = "it costs -5", .told = "stage prices", .code = "PRICES"};

/// Of [0, 10), with values of `writer`'s; 2 and 7 are set aside.
Result<CommitResult> run_objecting(Writer& writer, Task task, const Writer::Values& values) {
  REQUIRE_FALSE(must(writer.begin(task)));
  for (Offset at = 0; at < 10; ++at) {
    const auto value = values(at);
    must(at == 2 || at == 7
             ? writer.session->set_aside(0, {.offset = at, .value = value}, too_cheap)
             : writer.write(at, at + 1, values));
  }
  auto result = writer.commit();
  if (result || task.isolate) return result;
  writer.session->abort();
  task.isolate = true;
  return run_objecting(writer, task, values);
}

}  // namespace

TEST_CASE("what a caller sets aside has its own code, beside what the server refuses") {
  Database database;
  database.sql("CREATE TABLE t (id bigint CHECK (id <> 5))");
  Writer writer(database.options(), "a");
  writer.start();
  const auto counts = committed(run_objecting(writer, writer.task(0, 10), id_only));
  CHECK(counts.rows == 7);
  CHECK(counts.dead_letters == 3);
  CHECK(counts.dead_letter_codes ==
        std::map<std::string, std::uint64_t>{{"23514", 1}, {"PRICES", 2}});
  CHECK(database.value("SELECT string_agg(\"offset\" || ' ' || sqlstate, ', ' ORDER BY "
                       "failed_at, \"offset\") FROM semel_dead_letters") ==
        "2 PRICES, 5 23514, 7 PRICES");
  CHECK(database.value("SELECT DISTINCT reason FROM semel_dead_letters WHERE sqlstate = 'PRICES' "
                       "AND column_name IS NULL AND convert_from(value, 'UTF8') LIKE '{%}'") ==
        "it costs -5");
}

TEST_CASE("what a caller sets aside waits with rows that only deferred constraints refuse") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint); CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN IF NEW.id = 5 THEN RAISE ''no 5'' USING ERRCODE = ''check_violation''; END IF; "
      "RETURN NULL; END'; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY "
      "DEFERRED FOR EACH ROW EXECUTE FUNCTION g()");
  Writer writer(database.options(), "a");
  writer.start();
  const auto counts = committed(run_objecting(writer, writer.task(0, 10), id_only));
  CHECK(counts.rows == 7);
  CHECK(counts.dead_letters == 3);
  CHECK(database.value("SELECT string_agg(\"offset\"::text, ', ') FROM semel_dead_letters") ==
        "2, 5, 7");
}

TEST_CASE("on_bad_record = stop stops at what a caller sets aside, and tells nothing of it") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  options.policy.on_bad_record = record::OnBadRecord::stop;
  Writer writer(options, "a");
  writer.start();
  REQUIRE_FALSE(must(writer.begin(writer.task(0, 10))));
  must(writer.write(0, 2, id_only));
  const auto set = writer.session->set_aside(0, {.offset = 2}, too_cheap);
  REQUIRE_FALSE(set);
  CHECK(set.error().kind == ErrorKind::fatal);
  CHECK(set.error().cause == Cause::bad_record);
  CHECK_THAT(set.error().message, Catch::Contains("clicks[0] offset 2 cannot be stored") &&
                                      Catch::Contains("stage prices (code PRICES)") &&
                                      !Catch::Contains("-5"));
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
  REQUIRE_FALSE(must(writer.begin(writer.task(0, 1))));
  must(writer.session->write(0, std::span(&record, 1)));
  CHECK(committed(writer.commit()).dead_letters == 1);
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
    CHECK(committed(writer.run_isolating(writer.task(from, from + 10), values)).rows > 0);
  }
  CHECK(database.number("SELECT max(guards) FROM prepared") == 1);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 4);
}
