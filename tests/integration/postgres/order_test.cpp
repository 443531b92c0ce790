// Rows of one range and the order of the log: what sees an order (triggers, constraints, sequences)
// sees that one, though a COPY has one list of columns, and records lack some of them.
#include <fmt/format.h>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// As README's upsert recipe has it, with a column that the server fills in where it is absent.
constexpr const char* upsert = R"(
  CREATE TABLE prices (item text PRIMARY KEY, price numeric NOT NULL,
                       rev uuid DEFAULT gen_random_uuid());
  CREATE VIEW t AS SELECT * FROM prices;
  ALTER VIEW t ALTER rev SET DEFAULT gen_random_uuid();
  CREATE FUNCTION upsert_price() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO prices VALUES (NEW.*)
      ON CONFLICT (item) DO UPDATE SET price = EXCLUDED.price, rev = EXCLUDED.rev;
    RETURN NEW;
  END $$;
  CREATE TRIGGER upsert_price INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION upsert_price())";

/// Writes down what it sees; sequences do not fall back with a transaction, so they say nothing.
constexpr const char* witness = R"(
  CREATE TABLE seen (n serial, id bigint);
  CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO seen (id) VALUES (NEW.id); RETURN NEW; END $$;)";

/// Runs of one, two and more, larger than what is sent at once; the last ones alternate.
struct Runs {
  Database database;
  Offset records;
  bool isolate;

  bool lacks(Offset o) const { return o < records - 100 ? o % 997 < 3 : o % 2 == 1; }
  std::string value(Offset o) const {
    return lacks(o) ? fmt::format(R"({{"id": {}}})", o)
                    : fmt::format(R"({{"id": {0}, "u": "00000000-0000-4000-8000-{0:012}"}})", o);
  }
  void store(const Writer::Values& values) const {
    Writer writer(database.options(), "a");
    writer.start();
    auto task = writer.task(0, records);
    task.isolate = isolate;
    const auto counts = committed(writer.run(task, values));
    CHECK(counts.rows == static_cast<std::uint64_t>(records));
    CHECK(counts.suppressed == 0);
  }
  void store() const {
    store([this](Offset o) { return value(o); });
  }
  void expect_in_order() const {
    CHECK(database.number("SELECT count(*) FROM seen") == records);
    CHECK(database.number("SELECT count(*) FROM (SELECT id - lag(id) OVER (ORDER BY n) AS step "
                          "FROM seen) s WHERE step <> 1") == 0);
  }
};

}  // namespace

TEST_CASE("rows reach the table in the order of the log, whichever columns they have") {
  const auto [records, isolate] =
      GENERATE(table<Offset, bool>({{3, false}, {3, true}, {300, true}, {6'000, false}}));
  INFO(records << " records, isolate: " << isolate);
  const Runs runs{.database = Database(), .records = records, .isolate = isolate};
  constexpr const char* table = "CREATE TABLE t (id bigint, u uuid DEFAULT gen_random_uuid());";

  SECTION("a view with a trigger instead of the insert") {
    runs.database.sql(upsert);
    runs.store([&](Offset o) {
      return runs.lacks(o) ? fmt::format(R"({{"item": "pear", "price": {}}})", o)
                           : fmt::format(R"({{"item": "pear", "price": {0}, )"
                                         R"("rev": "00000000-0000-4000-8000-{0:012}"}})",
                                         o);
    });
    CHECK(runs.database.number("SELECT price FROM prices") == runs.records - 1);
  }
  SECTION("a trigger before each row") {
    runs.database.sql(std::string(table) + witness +
                      "CREATE TRIGGER w BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION see()");
    runs.store();
    runs.expect_in_order();
  }
  SECTION("a trigger after each row") {
    runs.database.sql(std::string(table) + witness +
                      "CREATE TRIGGER w AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION see()");
    runs.store();
    runs.expect_in_order();
  }
  SECTION("a trigger of a partition") {
    runs.database.sql(
        std::string("CREATE TABLE t (id bigint, u uuid DEFAULT gen_random_uuid()) PARTITION BY "
                    "RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;") +
        witness + "CREATE TRIGGER w BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION see()");
    runs.store();
    runs.expect_in_order();
  }
  SECTION("a sequence that every row takes a number of") {
    runs.database.sql("CREATE TABLE t (n bigserial, id bigint, u uuid DEFAULT gen_random_uuid())");
    runs.store();
    CHECK(runs.database.number("SELECT count(*) FROM t WHERE n <> id + 1") == 0);
  }
  SECTION("rows whose columns are all left to the server between others") {
    runs.database.sql("CREATE TABLE t (n bigserial, u uuid DEFAULT gen_random_uuid())");
    runs.store([&](Offset o) {
      return runs.lacks(o) ? std::string("{}")
                           : fmt::format(R"({{"u": "00000000-0000-4000-8000-{:012}"}})", o);
    });
    // Offset o has number o + 1, and says so where it has a column.
    CHECK(runs.database.number("SELECT count(*) FROM t WHERE n > 0") == runs.records);
    CHECK(runs.database.number(
              "SELECT count(*) FROM t WHERE u::text LIKE '00000000-0000-4000-8000-%' "
              "AND n <> right(u::text, 12)::bigint + 1") == 0);
  }
}

TEST_CASE("of rows with one key the first in the log stays, whichever columns they have") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY, n bigint, u uuid DEFAULT gen_random_uuid())");
  Writer writer(database.options(), "a");
  writer.start();
  // Offsets 2 k and 2 k + 1 have one key; one of them lacks a column, or none, or both do. Some are
  // refused before they are sent, so that dead letters go out in between.
  const auto good = [](Offset o) { return o % 100 != 50; };
  const auto values = [&](Offset o) {
    if (!good(o)) return std::string(R"({"id": "none"})");
    return o % 3 == 0 ? fmt::format(
                            R"({{"id": {}, "n": {}, "u": "00000000-0000-4000-8000-000000000000"}})",
                            o / 2, o)
                      : fmt::format(R"({{"id": {}, "n": {}}})", o / 2, o);
  };
  constexpr Offset records = 1'000;
  const auto counts = committed(writer.run_isolating(writer.task(0, records), values));
  CHECK(counts.rows == records / 2);
  CHECK(counts.dead_letters == records / 2);
  // The second one only where the first was refused.
  CHECK(database.number("SELECT count(*) FROM t WHERE n <> 2 * id AND id % 50 <> 25") == 0);
  CHECK(database.number("SELECT count(*) FROM t WHERE n = 2 * id + 1 AND id % 50 = 25") == 10);
}

TEST_CASE("rows of a range stay in order around the dead letters that are sent in between") {
  Database database;
  database.sql(
      "CREATE TABLE t (n bigserial, id bigint NOT NULL, u uuid DEFAULT gen_random_uuid())");
  Writer writer(database.options(), "a");
  writer.start();
  // Dead letters of 64 KiB and more go out at once.
  const std::string large(3'000, 'x');
  const auto values = [&](Offset o) {
    if (o % 4 == 3) return fmt::format(R"({{"id": "{}"}})", large);
    return o % 4 == 1
               ? fmt::format(R"({{"id": {}}})", o)
               : fmt::format(R"({{"id": {}, "u": "00000000-0000-4000-8000-000000000000"}})", o);
  };
  const auto counts = committed(writer.run(writer.task(0, 400), values));
  CHECK(counts.rows == 300);
  CHECK(counts.dead_letters == 100);
  CHECK(database.number("SELECT count(*) FROM (SELECT id - lag(id) OVER (ORDER BY n) AS step FROM "
                        "t) s WHERE step < 1") == 0);
}

TEST_CASE("a row is the same however many of its neighbours lack other columns") {
  // The same values twice: in a COPY of like rows, and in turns with rows that lack columns.
  Database database;
  database.sql(
      "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN short AS varchar(3);"
      "CREATE TYPE pair AS (a smallint, b numeric(5, 1));"
      "CREATE TABLE t (pos bigint, i int, s smallint, f real, d float8, n numeric(6, 2), t text, "
      "v varchar(4), c char(4), o short, b boolean, u uuid, x bytea, day date, at timestamptz(0), "
      "ts timestamp(1), tod time, j json, jb jsonb, m mood, a int[], va varchar(3)[], p pair, "
      "r int4range, id bigint GENERATED ALWAYS AS IDENTITY, g uuid DEFAULT gen_random_uuid());"
      "CREATE TABLE statements (n int);"
      "CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO "
      "statements VALUES (1); RETURN NULL; END$$;"
      "CREATE TRIGGER s AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION count_it()");
  const std::string row =
      R"j("i": -7, "s": 3, "f": 1.5, "d": 2.25, "n": 12.345, "t": "täxt", "v": "abc  ", "c": "ab",
      "o": "xyz", "b": true, "u": "00000000-0000-4000-8000-000000000001", "x": "\\x00ff",
      "day": "2024-02-29", "at": "2024-02-29T12:00:00.6Z", "ts": "2024-02-29T12:00:00.66",
      "tod": "12:00:01", "j": {"a": [1]}, "jb": {"b": null}, "m": "bad", "a": [1, null, 3],
      "va": ["ab", "c"], "p": {"a": 1, "b": 2.25}, "r": "[1,5)")j";
  constexpr Offset half = 200;
  const auto values = [&](Offset o) {
    const auto members = o % 3 == 0 ? "" : ", " + row;
    if (o >= half && o % 2 == 1) return fmt::format(R"({{"pos": {}{}}})", o, members);
    return fmt::format(R"({{"pos": {0}{1}, "id": {0}, "g": "00000000-0000-4000-8000-{0:012}"}})", o,
                       members);
  };
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, half, values);
  CHECK(writer.store(half, 2 * half, values).rows == half);
  CHECK(database.number("SELECT count(*) FROM t") == 2 * half);
  // Two kinds of rows, and none beside them.
  CHECK(database.number("SELECT count(DISTINCT to_jsonb(line) - 'pos' - 'id' - 'g') FROM t AS "
                        "line") == 2);
  CHECK(database.number("SELECT count(*) FROM t WHERE i IS NULL") == (2 * half + 2) / 3);
  // What was left to the server it has filled in, in order; what was there is stored.
  CHECK(database.number("SELECT count(*) FROM t WHERE pos >= 200 AND pos % 2 = 1 AND "
                        "id = (pos - 199) / 2 AND g IS NOT NULL") == half / 2);
  CHECK(database.number("SELECT count(*) FROM t WHERE id = pos AND g::text = "
                        "'00000000-0000-4000-8000-' || lpad(pos::text, 12, '0')") ==
        half + half / 2);
  CHECK(database.number("SELECT count(*) FROM statements") < 20);
}

namespace {

std::string every_second_with_u(Offset o) {
  return o % 2 == 0 ? fmt::format(R"({{"id": {}}})", o)
                    : fmt::format(R"({{"id": {0}, "u": "00000000-0000-4000-8000-{0:012}"}})", o);
}

}  // namespace

TEST_CASE("a rule of the table rewrites no row, whichever columns its neighbours have") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, u uuid DEFAULT gen_random_uuid());"
      "CREATE RULE nothing AS ON INSERT TO t DO INSTEAD NOTHING");
  Writer writer(database.options(), "a");
  writer.start();
  const auto counts = writer.store(0, 100, every_second_with_u);
  CHECK(counts.rows == 100);
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 100);
}

TEST_CASE("a column that no record brings needs no right, whichever columns its neighbours have") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, u uuid DEFAULT gen_random_uuid(), s uuid DEFAULT "
      "gen_random_uuid())");
  const auto role = unique_name("writer");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; GRANT "
                  "INSERT (id, u) ON t TO {0}",
                  role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  Writer writer(options, "a");
  writer.start();
  const auto counts = writer.store(0, 100, every_second_with_u);
  CHECK(counts.rows == 100);
  CHECK(database.number("SELECT count(*) FROM t WHERE s IS NOT NULL") == 100);
}
