// What the table refuses, and what stands in its way.
#include <filesystem>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "unit/sqlite/rig.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE(
    "NOT NULL, UNIQUE, CHECK and a trigger's refusal are bad records, and their neighbours go in") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT NOT NULL, q INTEGER CHECK (q > 0));"
      "CREATE TRIGGER no13 BEFORE INSERT ON t WHEN new.id = 13 BEGIN SELECT RAISE(ABORT, 'not "
      "13'); "
      "END; CREATE TRIGGER no14 BEFORE INSERT ON t WHEN new.id = 14 BEGIN SELECT RAISE(IGNORE); "
      "END");
  const auto counts = contract::committed(rig.store(
      {R"({"id": 1, "n": "a", "q": 1})", R"({"id": 1, "n": "b", "q": 1})", R"({"id": 2, "q": 1})",
       R"({"id": 3, "n": "c", "q": 0})", R"({"id": 13, "n": "d", "q": 1})",
       R"({"id": 14, "n": "d", "q": 1})", R"({"id": 4, "n": "e", "q": 1})"}));
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 4);
  CHECK(counts.suppressed == 1);
  CHECK(rig.file.value("SELECT id, n FROM t ORDER BY id") == "1|a\n4|e");
  // https://www.sqlite.org/rescode.html: PRIMARYKEY, NOTNULL, CHECK, TRIGGER
  CHECK(
      rig.file.value("SELECT \"offset\", coalesce(column_name, ''), code, reason, key, value FROM "
                     "semel_dead_letters ORDER BY 1") ==
      "1|id|1555|UNIQUE constraint failed: t.id|k|{\"id\": 1, \"n\": \"b\", \"q\": 1}\n"
      "2|n|1299|NOT NULL constraint failed: t.n|k|{\"id\": 2, \"q\": 1}\n"
      "3||275|CHECK constraint failed: q > 0|k|{\"id\": 3, \"n\": \"c\", \"q\": 0}\n"
      "4||1811|not 13|k|{\"id\": 13, \"n\": \"d\", \"q\": 1}");
}

TEST_CASE("on_bad_record = stop writes nothing and names the record and the column") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  rig.options.rows.policy.on_bad_record = record::OnBadRecord::stop;
  const auto stopped = rig.store({R"({"id": 1})", R"({"id": null})"});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(stopped.error().cause == Cause::bad_record);
  CHECK(stopped.error().message.find("offset 1 cannot be stored in table t: ") !=
        std::string::npos);
  CHECK(stopped.error().message.find("t.id") != std::string::npos);
  CHECK(rig.file.number("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM "
                        "semel_dead_letters) + (SELECT sum(until_offset) FROM semel_progress)") ==
        0);
}

namespace {

constexpr Objection too_cheap{.reason = "id 1 costs -5", .told = "stage prices", .code = "PRICES"};

/// All of a range of `count` records.
Result<CommitResult> set_all_aside(SqliteRig& rig, Offset count) {
  rig.start();
  const Task task{.time = {1'000}, .range = {contract::tp, 0, count}, .epoch = rig.epoch};
  REQUIRE_FALSE(contract::must(rig.session->begin({&task, 1})));
  for (Offset offset = 0; offset < count; ++offset) {
    auto set = rig.session->set_aside(0, {.offset = offset, .value = R"({"id": 1})"}, too_cheap);
    if (!set) return tl::unexpected(set.error());
  }
  const RangeEnd end;
  return rig.session->commit({&end, 1});
}

}  // namespace

TEST_CASE("what a caller sets aside is a dead letter with its reason and code, and no column") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  const auto counts = contract::committed(set_all_aside(rig, 2));
  CHECK(counts.dead_letter_codes == std::map<std::string, std::uint64_t>{{"PRICES", 2}});
  CHECK(rig.file.value("SELECT \"offset\", column_name IS NULL, code, reason, value FROM "
                       "semel_dead_letters ORDER BY 1") ==
        "0|1|PRICES|id 1 costs -5|{\"id\": 1}\n1|1|PRICES|id 1 costs -5|{\"id\": 1}");
}

TEST_CASE("on_bad_record = stop stops at what a caller sets aside, and tells nothing of it") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  rig.options.rows.policy.on_bad_record = record::OnBadRecord::stop;
  const auto stopped = set_all_aside(rig, 2);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(stopped.error().cause == Cause::bad_record);
  CHECK_THAT(stopped.error().message,
             Catch::Contains("offset 0 cannot be stored in table t: stage prices (code PRICES)") &&
                 !Catch::Contains("-5"));
  CHECK(rig.file.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("a topic to whose every record a caller objects stops the pipeline") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  const auto stopped = set_all_aside(rig, 100);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(stopped.error().cause == Cause::bad_record);
  CHECK_THAT(stopped.error().message,
             Catch::Contains("stage prices (code PRICES), 100 of 100 times"));
  CHECK(rig.file.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("a topic that does not fit at all stops the pipeline") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  const auto stopped = rig.store(std::vector<std::string>(100, R"({"no": 1})"));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(stopped.error().cause == Cause::bad_record);
  CHECK(rig.file.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("a constraint that rolls everything back stops the pipeline: no record can be told") {
  SqliteRig rig("CREATE TABLE t (id INTEGER UNIQUE ON CONFLICT ROLLBACK)");
  const auto stopped = rig.store({R"({"id": 1})", R"({"id": 1})"});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(rig.file.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("a range that is larger than the memory for it goes in whole, the bad ones aside") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL, pad TEXT)");
  constexpr int count = 6'000;
  const std::string pad(1'000, 'x');
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(i % 1'000 == 7
                         ? R"({"pad": "no id"})"
                         : "{\"id\": " + std::to_string(i) + ", \"pad\": \"" + pad + "\"}");
  }
  const auto counts = contract::committed(rig.store(values));
  CHECK(counts.rows == count - 6);
  CHECK(counts.dead_letters == 6);
  CHECK(rig.file.value("SELECT count(*), sum(id), sum(length(pad)) FROM t") ==
        "5994|17981958|5994000");
  CHECK(rig.file.value("SELECT min(\"offset\"), max(\"offset\") FROM semel_dead_letters") ==
        "7|5007");
}

TEST_CASE("a table that gets a column while records are read for it is read again") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  contract::committed(rig.store({R"({"id": 1, "name": "a"})"}));
  rig.file.sql("ALTER TABLE t ADD COLUMN name TEXT");
  const auto stale = rig.attempt({R"({"id": 2, "name": "b"})"}, false);
  REQUIRE_FALSE(stale);
  CHECK(stale.error().kind == ErrorKind::retriable);
  contract::committed(rig.store({R"({"id": 2, "name": "b"})"}));
  CHECK(rig.file.value("SELECT id, name FROM t ORDER BY id") == "1|\n2|b");
  // Something else in the file is no reason.
  rig.file.sql("CREATE TABLE other (a)");
  contract::committed(rig.store({R"({"id": 3, "name": "c"})"}));
}

TEST_CASE("a file or table that cannot be used is told before anything is taken over") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  std::string says;
  SECTION("no file") {
    rig.options.file = rig.file.directory() + "/nothing.db";
    says = "the file has to exist";
  }
  SECTION("no table") {
    rig.options.rows.table = "u";
    says = "there is no table u";
  }
  SECTION("no database") {
    rig.options.file = rig.file.directory() + "/text.db";
    write_file(rig.options.file, std::string(4096, 'x'));
    says = "is sink.sqlite.file the right file?";
  }
  const auto opened = rig.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == ErrorKind::fatal);
  CHECK(opened.error().cause == Cause::sink);
  CHECK(opened.error().message.find(says) != std::string::npos);
  const auto findings = sqlite::connector().check(rig.part(), rig.context);
  REQUIRE_FALSE(findings.empty());
  CHECK_FALSE(findings.back().ok);
  CHECK(findings.back().cause == Cause::sink);
  CHECK(findings.back().remedy.find(says) != std::string::npos);
}

TEST_CASE("nothing is written into a file that is not at its place any more") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  contract::committed(rig.store({R"({"id": 1})"}));
  std::filesystem::rename(rig.file.path(), rig.file.path() + ".old");
  const auto stopped = rig.store({R"({"id": 2})"});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK(stopped.error().cause == Cause::sink);
}

TEST_CASE("a mapping of a column that there is not is the configuration's fault") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)", {{"nothing", "$.a"}});
  const auto opened = rig.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().cause == Cause::configuration);
}

TEST_CASE("a ledger of a newer version is refused by its number") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.start();
  CHECK(rig.file.number("SELECT ledger_version FROM semel_owners") == 1);
  rig.file.sql("UPDATE semel_owners SET ledger_version = 7");
  const auto taken = rig.sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK(taken.error().message.find("version 7") != std::string::npos);
  const auto ledger = sqlite::connector().open_ledger(rig.part(), rig.context);
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().message.find("version 7") != std::string::npos);
}

TEST_CASE("another table than before is refused, unless that is meant") {
  SqliteRig rig("CREATE TABLE t (id INTEGER); CREATE TABLE u (id INTEGER)");
  contract::committed(rig.store({R"({"id": 1})"}));
  rig.options.rows.table = "u";
  auto other = contract::must(rig.open());
  const auto refused = other->take_over("cluster");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::configuration);
  CHECK(refused.error().message.find("table t") != std::string::npos);
  rig.context.accept_changed_table = true;
  CHECK(contract::must(contract::must(rig.open())->take_over("cluster")).epoch > rig.epoch);
}

TEST_CASE("who keeps the lock of writers is named, and waited for") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.options.busy_timeout_ms = 50;
  rig.start();
  const auto holder = rig.file.locked();
  const auto waits = rig.store({R"({"id": 1})"});
  REQUIRE_FALSE(waits);
  CHECK(waits.error().kind == ErrorKind::unavailable);
  CHECK(waits.error().cause == Cause::sink);
  CHECK(waits.error().message.find("process " + std::to_string(holder->pid()) + " (python3") !=
        std::string::npos);
  const auto taken = rig.sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::unavailable);
  holder->kill();
  contract::committed(rig.store({R"({"id": 1})"}));
  CHECK(rig.file.number("SELECT count(*) FROM t") == 1);
}

TEST_CASE("a sample tells what would be stored, and stores nothing") {
  SqliteRig rig("CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT DEFAULT 'x', k BLOB)",
                {{"k", "@key"}});
  const std::vector<std::string> values{R"({"id": "7", "n": "a"})", R"({"id": 8})", "no",
                                        R"({"id": "8"})"};
  std::vector<Record> records;
  for (const auto& value : values) {
    records.push_back({.offset = static_cast<Offset>(records.size()), .key = "q", .value = value});
  }
  records.push_back({.offset = 4, .key = "q"});
  const auto sampled = contract::must(sqlite::connector().sample(
      rig.part(), rig.context, [&](const TakeRecords& take) -> Result<void> {
        take(contract::tp, records);
        return {};
      }));
  REQUIRE(sampled.size() == 5);
  using Fate = SampledRecord::Fate;
  using Values = std::vector<std::pair<std::string, std::optional<std::string>>>;
  CHECK(sampled[0].fate == Fate::row);
  CHECK(sampled[0].values == Values{{"id", "7"}, {"n", "a"}, {"k", "q"}});
  CHECK(sampled[1].defaults == std::vector<std::string>{"n"});
  CHECK(sampled[2].fate == Fate::refused);
  CHECK(sampled[3].fate == Fate::refused);
  CHECK(sampled[3].reason == "UNIQUE constraint failed: t.id");
  CHECK(sampled[4].fate == Fate::ignored);
  CHECK(rig.file.number("SELECT count(*) FROM t") == 0);
  CHECK(rig.file.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'semel%'") == 0);
}

TEST_CASE("old rows of the history go, the newest of a partition stays") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  for (int i = 0; i < 3; ++i) contract::committed(rig.store({R"({"id": 1})"}));
  CHECK_FALSE(contract::must(rig.sink->trim()));
  CHECK(rig.file.number("SELECT count(*) FROM semel_commits") == 4);
  rig.file.sql("UPDATE semel_commits SET committed_at = '2020-01-01T00:00:00.000Z'");
  CHECK_FALSE(contract::must(rig.sink->trim()));
  CHECK(rig.file.value("SELECT from_offset FROM semel_commits") == "2");
}
