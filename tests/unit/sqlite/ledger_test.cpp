// The ledger in the file: that of another version, one that is not whole, one with much in it.
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "unit/sqlite/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// As semel wrote it before the ledger's tables were a store's (with 7 records of one batch): a
/// dump by the program `sqlite3`.
std::string ledger_1() {
  return read_file(SEMEL_LEDGER_1);
}

std::string error_of_take_over(SqliteRig& rig) {
  const auto taken = contract::must(rig.open())->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK(taken.error().cause == Cause::sink);
  return taken.error().message;
}

}  // namespace

TEST_CASE("a file of the first version is gone on with") {
  SqliteRig rig(ledger_1());
  auto ledger = contract::must(sqlite::connector().open_ledger(rig.part(), rig.context));
  const auto owner = contract::must(ledger->owner());
  REQUIRE(owner);
  CHECK(owner->epoch == 1);
  CHECK(owner->id == "a-0000-4000-8000-000000000000");
  CHECK(owner->since == "2026-11-26T00:02:47.444Z");
  const auto moves = contract::moves_of(*ledger);
  REQUIRE(moves.size() == 2);
  CHECK(moves[0].kind == MoveKind::start);
  CHECK(moves[1].rows == 2);
  CHECK(moves[1].dead_letters == 4);
  CHECK(moves[1].suppressed == 1);
  CHECK(contract::must(ledger->dead_letters()) == 4);

  rig.context.owner = contract::owner_named("b");
  rig.sink = contract::must(rig.open());
  const auto taken = contract::must(rig.sink->take_over("cluster"));
  CHECK(taken.epoch == 2);
  CHECK(taken.previous_owner == "test process a");
  CHECK(taken.highest_batch_time.ms == 1'000);
  REQUIRE(taken.progress.size() == 1);
  CHECK(taken.progress[0].until == 7);
  CHECK(taken.progress[0].last == RecordMark{6, 0, 0});

  rig.epoch = taken.epoch;
  rig.session = contract::must(rig.sink->open_session());
  rig.at = 7;
  const auto counts =
      contract::committed(rig.store({R"({"id": 5, "n": "f", "q": 1})", R"({"id": 6})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 1);
  CHECK(rig.file.value("SELECT until_offset, epoch, last_offset FROM semel_progress") == "9|2|8");
  CHECK(rig.file.value("SELECT kind, from_offset, until_offset, \"rows\" FROM semel_commits ORDER "
                       "BY batch_time") == "start|0|0|0\ncommit|0|7|2\ncommit|7|9|1");
  CHECK(rig.file.number("SELECT count(*) FROM semel_dead_letters") == 5);
}

TEST_CASE("the tables that are made have the columns of the first version") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.start();
  const SqliteFile old(ledger_1());
  const std::string columns =
      "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema m, "
      "pragma_table_info(m.name) "
      "c WHERE m.name LIKE 'semel%' AND m.type = 'table' ORDER BY m.name, c.cid";
  CHECK(rig.file.value(columns) == old.value(columns));
}

TEST_CASE("a ledger that has lost a table or a column is not begun anew") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  contract::committed(rig.store({R"({"id": 1})"}));
  std::string says;
  SECTION("the progress") {
    rig.file.sql("DROP TABLE semel_progress");
    says = "table semel_progress does not exist";
  }
  SECTION("the history and the owners") {
    rig.file.sql("DROP TABLE semel_commits; DROP TABLE semel_owners");
    says = "table semel_owners, table semel_commits does not exist";
  }
  SECTION("a column") {
    rig.file.sql("ALTER TABLE semel_commits DROP COLUMN suppressed");
    says = "column suppressed of semel_commits does not exist";
  }
  SECTION("the owner of positions that are there") {
    rig.file.sql("DELETE FROM semel_owners");
    says = "no owner any more";
  }
  SECTION("the owner and the positions of a history that is there") {
    rig.file.sql("DELETE FROM semel_owners; DELETE FROM semel_progress");
    says = "no owner any more";
  }
  SECTION("a position") {
    rig.file.sql("DELETE FROM semel_progress");
    says = "the history of clicks[3] ends at 1, and its position is gone";
  }
  SECTION("the last move of a position") {
    rig.file.sql("UPDATE semel_progress SET until_offset = 0");
    says = "the history of clicks[3] ends at 1, and its position is 0";
  }
  const auto message = error_of_take_over(rig);
  CHECK_THAT(message, Catch::Contains(says) && Catch::Contains(rig.file.path()));
  CHECK(rig.file.number("SELECT count(*) FROM t") == 1);
  const auto findings = sqlite::connector().check(rig.part(), rig.context);
  CHECK_FALSE(findings.back().ok);
  CHECK(findings.back().remedy == message);
  if (!says.starts_with("table") && !says.starts_with("column")) return;
  const auto ledger = sqlite::connector().open_ledger(rig.part(), rig.context);
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().message == message);
}

TEST_CASE("old versions of a state go, and keys that are gone and that only they knew") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.sink = contract::must(rig.open());
  REQUIRE(rig.sink->become_home());
  rig.epoch = contract::must(rig.sink->take_over("cluster")).epoch;
  rig.file.sql(
      "INSERT INTO semel_state_versions VALUES ('pipe', 'out', 1, 7, '2020-01-01T00:00:00.000Z'), "
      "('pipe', 'out', 2, 7, '2020-01-01T00:00:00.000Z'), ('pipe', 'out', 3, 7, '2999'), "
      "('pipe', 'out', 4, 7, '2020-01-01T00:00:00.000Z'); INSERT INTO semel_state VALUES ('pipe', "
      "'out', x'61', NULL, 3), ('pipe', 'out', x'62', NULL, 4), ('pipe', 'out', x'63', x'31', 1), "
      "('other', 'out', x'61', NULL, 1)");
  CHECK_FALSE(contract::must(rig.sink->trim()));
  CHECK(rig.file.value("SELECT batch_time FROM semel_state_versions ORDER BY 1") == "3\n4");
  CHECK(rig.file.value("SELECT pipeline, hex(\"key\") FROM semel_state ORDER BY 1, 2") ==
        "other|61\npipe|62\npipe|63");
}

TEST_CASE("old rows of a long history of many partitions go some at a time") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.start();
  rig.file.sql(
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999) INSERT INTO "
      "semel_commits SELECT 'pipe', 'out', 'old', i / 1000, i, 1, i, i + 1, 'commit', 1, 0, 0, 0, "
      "NULL, '2020-01-01T00:00:00.000Z' FROM n; INSERT INTO semel_commits SELECT 'other', output, "
      "topic, \"partition\", batch_time, epoch, from_offset, until_offset, kind, rows, "
      "dead_letters, ignored, suppressed, note, committed_at FROM semel_commits");
  const auto left = [&] {
    return rig.file.number("SELECT count(*) FROM semel_commits WHERE pipeline = 'pipe'");
  };
  CHECK(contract::must(rig.sink->trim()));
  CHECK(left() == 2'001);
  while (contract::must(rig.sink->trim())) {
  }
  CHECK(rig.file.value("SELECT topic, \"partition\", from_offset FROM semel_commits WHERE pipeline "
                       "= 'pipe' ORDER BY 1, 2") ==
        "clicks|3|0\nold|0|999\nold|1|1999\nold|2|2999");
  CHECK(rig.file.number("SELECT count(*) FROM semel_commits WHERE pipeline = 'other'") == 3'001);
}
