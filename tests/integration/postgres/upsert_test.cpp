// write = "upsert": whatever the history of the keys, however it is cut into ranges, the table is
// what a map of key to last row would be.
#include <fmt/format.h>
#include <map>
#include <random>
#include <thread>

#include "integration/postgres/upserts.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// Of a key: what the table should have.
struct LastRow {
  int v = 0;
  int version = 0;
  std::optional<std::string> mark;  ///< absent: the server's own
  bool removed = false;
};

}  // namespace

namespace {

/// A random history of 80 keys, and what its last rows are.
struct RandomKeys {
  bool soft = false;       ///< removed rows stay
  bool versioned = false;  ///< a lower version changes nothing
  History history;
  std::map<std::pair<std::string, int>, LastRow> rows;

  void remove(const std::pair<std::string, int>& key) {
    const auto found = rows.find(key);
    if (found == rows.end()) return;
    if (soft) {
      found->second.removed = true;
    } else {
      rows.erase(found);
    }
  }
  void change(const std::pair<std::string, int>& key, LastRow row) {
    const auto found = rows.find(key);
    if (found != rows.end() && versioned && row.version < found->second.version) return;
    if (found != rows.end() && !row.mark) row.mark = found->second.mark;
    rows[key] = std::move(row);
  }
  void extend(int count, std::mt19937& random) {
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    for (int i = 0; i < count; ++i) {
      const std::pair key(one_in(2) ? "left" : "right", static_cast<int>(random() % 40));
      const auto written = fmt::format(R"({{"id": {}, "side": "{}"}})", key.second, key.first);
      if (one_in(6)) {
        history.push_back(
            {written, one_in(2) ? std::optional<std::string>() : R"({"op": "d", "v": 13})"});
        remove(key);
        continue;
      }
      const bool bad = one_in(50);  // 13, which the table refuses
      LastRow row{.v = bad ? 13 : 100 + i, .version = static_cast<int>(random() % 30)};
      auto members = fmt::format(R"("v": {}, "version": {}, "op": "u")", row.v, row.version);
      if (!bad && !versioned && one_in(3)) {
        row.mark = fmt::format("mark {}", i);
        members += fmt::format(R"(, "mark": "{}")", *row.mark);
      }
      history.push_back({written, "{" + members + "}"});
      if (!bad) change(key, row);
    }
  }
};

}  // namespace

TEST_CASE("the table is the last row of each key, however a random history is cut into ranges") {
  const auto seed = GENERATE(range(1, 9));
  std::mt19937 random(static_cast<unsigned>(seed));
  RandomKeys keys{.soft = seed % 2 == 0, .versioned = seed % 4 >= 2, .history = {}, .rows = {}};
  INFO("seed " << seed << (keys.soft ? ", soft" : "") << (keys.versioned ? ", versioned" : ""));
  Database database;
  database.sql(
      "CREATE TABLE t (v int CHECK (v <> 13), id int, side text COLLATE \"C\", version int, mark "
      "text NOT NULL DEFAULT gen_random_uuid()::text, removed timestamptz, PRIMARY KEY (side, "
      "id))");
  auto options = upserting(database);
  options.columns = {{"id", "@key.id"}, {"side", "@key.side"}};
  options.policy.tombstones = record::Tombstones::remove;
  options.policy.removes_from = "$.op";
  options.policy.removes_if = {"d"};
  if (keys.soft) options.marks_removed = "removed";
  if (keys.versioned) options.version = "version";
  constexpr Offset records = 1'500;
  keys.extend(records, random);

  Writer writer(options, "a");
  writer.start();
  std::uint64_t counted = 0;
  for (Offset from = 0; from < records;) {
    const auto until = std::min<Offset>(records, from + 1 + static_cast<Offset>(random() % 300));
    const auto counts = put_range(writer, keys.history, from, until, random() % 4 == 0);
    counted += counts.rows + counts.suppressed + counts.dead_letters + counts.ignored;
    from = until;
  }
  CHECK(counted == records);
  std::string expected;
  for (const auto& [key, row] : keys.rows) {
    expected += fmt::format("{} {} {} {} {}\n", key.first, key.second, row.v, row.version,
                            row.removed ? "removed" : "there");
  }
  CHECK(database.value(
            "SELECT coalesce(string_agg(format(E'%s %s %s %s %s\\n', side, id, v, version, "
            "CASE WHEN removed IS NULL THEN 'there' ELSE 'removed' END), '' ORDER BY "
            "side, id), '') FROM t") == expected);
  for (const auto& [key, row] : keys.rows) {
    if (!row.mark) continue;
    INFO(key.first << " " << key.second);
    CHECK(database.value(fmt::format("SELECT mark FROM t WHERE side = '{}' AND id = {}", key.first,
                                     key.second)) == *row.mark);
  }
}

TEST_CASE("rows of one key are found by the equality of the key's type") {
  Database database;
  database.sql("CREATE TABLE t (id numeric PRIMARY KEY, v int, n numeric)");
  Writer writer(upserting(database), "a");
  writer.start();
  const auto counts = put_range(writer, {keyed("1", R"("v": 1)"), keyed("1.0", R"("v": 2, "n": 2)"),
                                         keyed("1.00", R"("v": 3)")});
  CHECK(counts.rows == 1);
  CHECK(counts.suppressed == 2);
  // The last record is the row: what it lacks has its default.
  CHECK(rows_of_t(database, "id::int, v, n") == "(1,3,)");
}

TEST_CASE("a key is a unique index that decides at once, and a record without it is bad") {
  Database database;
  database.sql(
      "CREATE TABLE t (id int, shop text, v int, UNIQUE (shop, id)); CREATE UNIQUE INDEX ON t (v) "
      "WHERE "
      "v > 0; CREATE UNIQUE INDEX ON t (lower(shop))");
  auto options = upserting(database);
  CHECK_THAT(refusal_of(options), Catch::Contains("no primary key"));
  options.key = {"v"};
  CHECK_THAT(refusal_of(options),
             Catch::Contains("CREATE UNIQUE INDEX ON \"public\".\"t\" (\"v\")"));
  options.key = {"id", "shop"};
  options.version = "shop";
  CHECK_THAT(refusal_of(options), Catch::Contains("beside its key"));
  options.version.clear();
  options.marks_removed = "v";
  CHECK_THAT(refusal_of(options), Catch::Contains("type integer"));
  options.marks_removed.clear();
  options.policy.tombstones = record::Tombstones::remove;
  CHECK_THAT(refusal_of(options),
             Catch::Contains("a tombstone has no value") && Catch::Contains("@key.id"));
  options.policy.tombstones = record::Tombstones::ignore;
  Writer writer(options, "a");
  writer.start();
  const auto counts = put_range(
      writer, {keyed("1", R"("shop": "a", "v": 1)"), keyed("1", R"("v": 2)"),
               keyed("1", R"("shop": null, "v": 3)"), keyed("1", R"("shop": "a", "v": 4)")});
  CHECK(counts.rows == 1);
  CHECK(counts.suppressed == 1);
  CHECK(counts.dead_letters == 2);
  CHECK(database.value(
            "SELECT string_agg(reason, E'\n' ORDER BY \"offset\") FROM semel_dead_letters") ==
        "column \"shop\" (text): the record has no value for it, and it is of the key\n"
        "column \"shop\" (text): null, and it is of the key");
  CHECK(rows_of_t(database, "id, shop, v") == "(1,a,4)");
}

TEST_CASE("a key whose constraint is deferrable, and a view, are refused by name") {
  Database database;
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v int); CREATE VIEW w AS SELECT * FROM t");
  auto options = upserting(database);
  CHECK_THAT(refusal_of(options), Catch::Contains("no primary key that is asked at once"));
  options.table = "w";
  CHECK_THAT(refusal_of(options), Catch::Contains("a view or a foreign table"));
}

TEST_CASE("what the server fills in stays as it is when a row is replaced") {
  Database database;
  database.sql(
      "CREATE DOMAIN filled AS text NOT NULL CHECK (VALUE <> '');"
      "CREATE TABLE t (n bigint GENERATED ALWAYS AS IDENTITY, id int PRIMARY KEY, v int, twice int "
      "GENERATED ALWAYS AS (v * 2) STORED, made timestamptz DEFAULT clock_timestamp(), f filled "
      "DEFAULT 'x', "
      "other int)");
  auto options = upserting(database);
  options.columns = {{"id", "@key.id"}};
  options.policy.tombstones = record::Tombstones::remove;
  Writer writer(options, "a");
  writer.start();
  History log{{R"({"id": 1})", R"({"v": 1})"}, {R"({"id": 2})", R"({"v": 1, "f": "y"})"}};
  CHECK(put_range(writer, log, 0, 2).rows == 2);
  const auto made = database.value("SELECT made FROM t WHERE id = 1");
  log.push_back({R"({"id": 1})", R"({"v": 2})"});
  log.push_back({R"({"id": 2})", std::nullopt});
  log.push_back({R"({"id": 9})", std::nullopt});  // there is none
  const auto counts = put_range(writer, log, 2, 5);
  CHECK(counts.rows == 2);
  CHECK(counts.suppressed == 1);
  CHECK(rows_of_t(database, "n, id, v, twice, f") == "(1,1,2,4,x)");
  // clock_timestamp() is the server's for each row: a default that changes stays.
  CHECK(database.value("SELECT made FROM t WHERE id = 1") == made);
}

TEST_CASE("upserts go into the partitions of a table, and by its triggers") {
  Database database;
  database.sql(
      "CREATE TABLE t (id int, day date, v int, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);"
      "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
      "CREATE TABLE t2 PARTITION OF t DEFAULT;"
      "CREATE TABLE seen (what text);"
      "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO seen VALUES "
      "(TG_OP); "
      "RETURN NULL; END$$;"
      "CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION see()");
  auto options = upserting(database);
  options.columns = {{"id", "@key.id"}, {"day", "@key.day"}};
  options.policy.tombstones = record::Tombstones::remove;
  Writer writer(options, "a");
  writer.start();
  const auto key = [](int id, int month) {
    return fmt::format(R"({{"id": {}, "day": "2026-0{}-05"}})", id, month);
  };
  const History log{{key(1, 1), R"({"v": 1})"}, {key(1, 2), R"({"v": 2})"},
                    {key(1, 1), R"({"v": 3})"}, {key(1, 1), std::nullopt},
                    {key(2, 3), R"({"v": 4})"}, {key(1, 2), R"({"v": 5})"}};
  put_range(writer, log, 0, 3);
  CHECK(rows_of_t(database, "id, day, v") == "(1,2026-01-05,3) (1,2026-02-05,2)");
  put_range(writer, log, 3, 6);
  CHECK(rows_of_t(database, "id, day, v") == "(1,2026-02-05,5) (2,2026-03-05,4)");
  CHECK(database.value("SELECT string_agg(what, ' ' ORDER BY what) FROM seen") ==
        "DELETE INSERT INSERT INSERT UPDATE");
}

TEST_CASE("a removed row can stay and say so, and a later record takes it back") {
  Database database;
  const bool flag = GENERATE(false, true);
  database.sql(fmt::format("CREATE TABLE t (id int PRIMARY KEY, v int, gone {})",
                           flag ? "boolean NOT NULL" : "timestamp"));
  auto options = upserting(database);
  options.marks_removed = "gone";
  options.policy.removes_from = "$.deleted";
  options.policy.removes_if = {"true"};
  Writer writer(options, "a");
  writer.start();
  const History log{keyed("1", R"("v": 1)"),          keyed("2", R"("v": 2, "deleted": false)"),
                    keyed("1", R"("deleted": true)"), keyed("3", R"("deleted": true)"),
                    keyed("1", R"("v": 4)"),          keyed("2", R"("deleted": true)")};
  const auto gone = flag ? "gone" : "gone IS NOT NULL";
  put_range(writer, log, 0, 2);
  put_range(writer, log, 2, 4);
  CHECK(rows_of_t(database, fmt::format("id, v, {} AS gone", gone)) == "(1,1,t) (2,2,f)");
  put_range(writer, log, 4, 6);
  CHECK(rows_of_t(database, fmt::format("id, v, {} AS gone", gone)) == "(1,4,f) (2,2,t)");
}

TEST_CASE("with on_conflict = \"ignore\" the first row of a key stays") {
  Database database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int, n serial UNIQUE)");
  auto options = database.options();
  options.on_conflict = postgres::OnConflict::ignore;
  const bool isolate = GENERATE(false, true);
  Writer writer(options, "a");
  writer.start();
  const History log{keyed("1", R"("v": 1)"),   keyed("2", R"("v": 2)"), keyed("1", R"("v": 3)"),
                    keyed("3", R"("v": "x")"), keyed("2", R"("v": 5)"), keyed("4", R"("v": 6)")};
  const auto first = put_range(writer, log, 0, 3, isolate);
  CHECK(first.rows == 2);
  CHECK(first.suppressed == 1);
  const auto second = put_range(writer, log, 3, 6, isolate);
  CHECK(second.rows == 1);
  CHECK(second.suppressed == 1);
  CHECK(second.dead_letters == 1);
  CHECK(rows_of_t(database) == "(1,1) (2,2) (4,6)");
}

TEST_CASE("ranges that merge the same keys at once wait for each other, and none is lost") {
  Database database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)");
  History log;
  for (int i = 0; i < 500; ++i) log.push_back(keyed(std::to_string((i * 37) % 500), R"("v": 1)"));
  auto options = upserting(database);
  Writer writer(options, "a");
  writer.start();
  // The same rows in the opposite order, by somebody who merges as we do.
  std::thread other([&] {
    for (int round = 0; round < 20; ++round) {
      database.sql(
          "INSERT INTO t SELECT i, 2 FROM generate_series(0, 499) i ORDER BY i ON CONFLICT (id) DO "
          "UPDATE "
          "SET v = EXCLUDED.v");
    }
  });
  for (int round = 0; round < 5; ++round) put_range(writer, log, round * 100, (round + 1) * 100);
  other.join();
  CHECK(database.number("SELECT count(*) FROM t") == 500);
}

TEST_CASE(
    "a role that may not do what upserting takes is told so at the start of the first range") {
  Database database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)");
  const auto role = unique_name("writer");
  database.sql(fmt::format(
      "CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; GRANT INSERT ON t TO {0}", role));
  auto options = upserting(database);
  options.dsn += "?user=" + role;
  const auto findings = postgres::check(options, {"pipe", "out", "x", "x"}, 1);
  const auto bad = std::ranges::find(findings, false, &Finding::ok);
  REQUIRE(bad != findings.end());
  CHECK_THAT(bad->remedy, Catch::Contains("permission denied"));
  database.sql(fmt::format("GRANT SELECT, UPDATE ON t TO {0}", role));
  for (const auto& finding : postgres::check(options, {"pipe", "out", "x", "x"}, 1)) {
    INFO(finding.what << ": " << finding.remedy);
    CHECK(finding.ok);
  }
  Writer writer(options, "a");
  writer.start();
  CHECK(put_range(writer, {keyed("1", R"("v": 1)")}).rows == 1);
}

TEST_CASE("the temporary table of a session that lives long does not hold the database back") {
  Database database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)");
  Writer writer(upserting(database), "a");
  writer.start();
  const History history(1'100, keyed("1", R"("v": 1)"));
  const auto stage = [&] {
    return database.value("SELECT relfrozenxid FROM pg_class WHERE relname LIKE 'semel_stage_%'");
  };
  put_range(writer, history, 0, 1);
  const auto before = stage();
  for (Offset o = 1; o < 1'100; ++o) put_range(writer, history, o, o + 1);
  CHECK(stage() != before);
  CHECK(rows_of_t(database) == "(1,1)");
}

TEST_CASE("a column that is named like one of the temporary table's is refused by name") {
  Database database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY, semel_set int)");
  CHECK_THAT(refusal_of(upserting(database)), Catch::Contains("semel_set"));
}
