// What is no record's fault: a table that takes no row, a disk that is full, a file that is gone.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/lock_holder.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "unit/sqlite/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

constexpr const char* dead = "SELECT count(*) FROM semel_dead_letters";

Error error_of(const Result<CommitResult>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::sink);
  return result.error();
}

/// What run refuses before anything is taken over, check refuses in the same words.
std::string refused_by_run_and_check(SqliteRig& rig) {
  const auto opened = rig.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == ErrorKind::fatal);
  CHECK(opened.error().cause == Cause::sink);
  const auto findings = sqlite::connector().check(rig.part(), rig.context);
  CHECK_FALSE(findings.back().ok);
  CHECK(findings.back().remedy == opened.error().message);
  return opened.error().message;
}

/// A file system of 2 MiB, for as long as the object lives.
struct SmallDisk {
  TempDir dir{};
  bool mounted = mount("semel-test", dir.path().c_str(), "tmpfs", 0, "size=2m") == 0;

  ~SmallDisk() {
    if (mounted) umount2(dir.path().c_str(), MNT_DETACH);
  }
};

std::vector<std::string> twenty() {
  std::vector<std::string> values;
  for (int i = 0; i < 20; ++i) {
    values.push_back("{\"id\": " + std::to_string(i + 100) + ", \"v\": \"a\"}");
  }
  return values;
}

}  // namespace

TEST_CASE("a trigger whose table is dropped stops the pipeline, and sets nothing aside") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT) STRICT; CREATE TABLE audit (id); CREATE "
      "TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO audit VALUES (new.id); END");
  contract::committed(rig.store({R"({"id": 1, "v": "a"})"}));
  rig.file.sql("DROP TABLE audit");
  const auto error = error_of(rig.store(twenty()));
  CHECK_THAT(error.message, Catch::Contains("no row can go into table t: ") &&
                                Catch::Contains("no such table: main.audit"));
  CHECK(refused_by_run_and_check(rig) == error.message);
  CHECK(rig.file.number(dead) == 0);
  rig.file.sql("CREATE TABLE audit (id)");
  CHECK(contract::committed(rig.store(twenty())).rows == 20);
}

TEST_CASE("what a function says of a value is that record's fault") {
  SqliteRig rig("CREATE TABLE t (id INTEGER, v TEXT, a AS (json_extract(v, '$.a')) STORED)");
  const auto counts =
      contract::committed(rig.store({R"({"id": 1, "v": {"a": 7}})", R"({"id": 2, "v": "{"})"}));
  CHECK(counts.rows == 1);
  CHECK(rig.file.value("SELECT code, reason FROM semel_dead_letters") == "1|malformed JSON");
}

TEST_CASE("a row that RAISE(FAIL) or ON CONFLICT FAIL refuses is set aside, and not stored") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, u INTEGER UNIQUE ON CONFLICT FAIL); CREATE "
      "TABLE audit (id); CREATE TRIGGER before BEFORE INSERT ON t BEGIN INSERT INTO audit VALUES "
      "(new.id); END; CREATE TRIGGER tr AFTER INSERT ON t WHEN new.v = 'fail' BEGIN SELECT "
      "RAISE(FAIL, 'no fail'); END");
  const auto counts =
      contract::committed(rig.store({R"({"id": 1, "v": "a", "u": 1})", R"({"id": 2, "v": "fail"})",
                                     R"({"id": 3, "v": "b", "u": 1})", R"({"id": 4, "v": "b"})"}));
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 2);
  CHECK(rig.file.value("SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY 1)") == "1,4");
  CHECK(rig.file.value("SELECT group_concat(id) FROM (SELECT id FROM audit ORDER BY 1)") == "1,4");
  CHECK(rig.file.value("SELECT group_concat(\"offset\") FROM (SELECT \"offset\" FROM "
                       "semel_dead_letters ORDER BY 1)") == "1,2");
}

TEST_CASE("a refusal that leaves something behind has all rows of the range put again") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE audit (id); CREATE TRIGGER tr "
      "AFTER INSERT ON T BEGIN INSERT INTO audit VALUES (new.id); SELECT RAISE(FAIL, 'no') WHERE "
      "new.v = 'fail'; END");
  rig.start();
  const std::vector<std::string> values{R"({"id": 1, "v": "a"})", R"({"id": 2, "v": "fail"})"};
  const auto first = rig.attempt(values, false);
  REQUIRE_FALSE(first);
  CHECK(first.error().kind == ErrorKind::bad_data);
  CHECK(rig.file.value("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM audit)") == "0");
  // From then on there are savepoints, also where nobody isolates.
  const auto counts = contract::committed(rig.attempt(values, false));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 1);
  CHECK(rig.file.value("SELECT group_concat(id) FROM t") == "1");
  CHECK(rig.file.value("SELECT group_concat(id) FROM audit") == "1");
}

TEST_CASE(
    "a row that a trigger or a constraint leaves out is suppressed, whatever else it changes") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT IGNORE, v TEXT); CREATE TABLE audit "
      "(id); "
      "CREATE TRIGGER tr BEFORE INSERT ON t BEGIN INSERT INTO audit VALUES (new.id); SELECT "
      "RAISE(IGNORE) WHERE new.v = 'ignore'; END");
  const auto counts = contract::committed(rig.store(
      {R"({"id": 1, "v": "a"})", R"({"id": 2, "v": "ignore"})", R"({"id": 1, "v": "again"})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.suppressed == 2);
  CHECK(rig.file.value("SELECT group_concat(id || v) FROM t") == "1a");
}

TEST_CASE("a view takes rows through its trigger, and is refused without one") {
  SqliteRig rig(
      "CREATE TABLE t0 (id INTEGER PRIMARY KEY, v TEXT); CREATE VIEW t AS SELECT * FROM t0");
  CHECK_THAT(refused_by_run_and_check(rig),
             Catch::Contains("cannot modify t because it is a view"));
  rig.file.sql(
      "CREATE TRIGGER tr INSTEAD OF INSERT ON t BEGIN INSERT INTO t0 VALUES (new.id, new.v); END");
  CHECK(contract::committed(rig.store(twenty())).rows == 20);
  CHECK(rig.file.number("SELECT count(*) FROM t0") == 20);
  rig.file.sql("DROP TRIGGER tr");
  CHECK_THAT(error_of(rig.store(twenty())).message, Catch::Contains("it is a view"));
}

TEST_CASE("a table with more columns than a statement can have is refused from the start") {
  std::string columns = "id INTEGER";
  for (int i = 0; i < 1'999; ++i) columns += ", c" + std::to_string(i);
  SqliteRig rig("CREATE TABLE t (" + columns + ")");
  const auto opened = rig.open();
  const auto findings = sqlite::connector().check(rig.part(), rig.context);
  CHECK(findings.back().ok == opened.has_value());
  if (!opened) {
    CHECK(findings.back().remedy == opened.error().message);
    return;
  }
  CHECK(contract::committed(rig.store({R"({"id": 1, "c1998": 2})"})).rows == 1);
}

TEST_CASE("what refuses every row is the table's, and nothing is set aside") {
  std::string says;
  std::string schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT";
  SECTION("a column that no record can fill") {
    schema += ", must INTEGER NOT NULL)";
    says = "NOT NULL constraint failed: t.must";
  }
  SECTION("a trigger") {
    schema += "); CREATE TRIGGER tr BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'closed'); END";
    says = "closed";
  }
  SqliteRig rig(schema);
  CHECK_THAT(error_of(rig.store(twenty())).message,
             Catch::Contains("table t refuses every row") && Catch::Contains(says));
  CHECK(rig.file.number(dead) == 0);
  CHECK(rig.file.number("SELECT until_offset FROM semel_progress") == 0);
}

TEST_CASE("a table that is closed under a running pipeline stops it at its second record") {
  SqliteRig rig("CREATE TABLE t (id INTEGER PRIMARY KEY)");
  contract::committed(rig.store({R"({"id": 1})"}));
  rig.file.sql(
      "CREATE TRIGGER tr BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'closed for now'); END");
  // Of one alone nobody knows.
  CHECK(contract::committed(rig.store({R"({"id": 2})"})).dead_letters == 1);
  CHECK_THAT(error_of(rig.store({R"({"id": 3})"})).message, Catch::Contains("closed for now"));
}

TEST_CASE("records that are all bad are set aside where the table has been seen to take rows") {
  SqliteRig rig("CREATE TABLE t (id INTEGER NOT NULL)");
  // Whether it does, nobody knows of one record.
  CHECK(contract::committed(rig.store({R"({"id": null})"})).dead_letters == 1);
  CHECK(contract::committed(rig.store({R"({"id": 1})"})).rows == 1);
  CHECK(contract::committed(rig.store({R"({"id": null})", R"({"id": null})"})).dead_letters == 2);
}

TEST_CASE("records that are all bad are set aside where a row of defaults would go in") {
  SqliteRig rig("CREATE TABLE t (id INTEGER CHECK (id > 0))");
  CHECK(contract::committed(rig.store({R"({"id": 0})", R"({"id": -1})"})).dead_letters == 2);
  CHECK(rig.file.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("records of a topic are bad in a row over the ranges of one transaction") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.start();
  std::vector<Progress> starts;
  std::vector<Task> tasks;
  for (std::int32_t i = 0; i < 10; ++i) {
    starts.push_back({.tp = {"clicks", 10 + i}});
    tasks.push_back({.time = {5'000}, .range = {starts.back().tp, 0, 60}, .epoch = rig.epoch});
  }
  contract::must(rig.sink->enter(starts));
  REQUIRE_FALSE(contract::must(rig.session->begin(tasks)));
  std::vector<Record> records;
  for (Offset i = 0; i < 60; ++i) records.push_back({.offset = i, .value = "<xml/>"});
  for (std::size_t i = 0; i < tasks.size(); ++i) contract::must(rig.session->write(i, records));
  const auto stopped = rig.session->commit(std::vector<RangeEnd>(tasks.size()));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().cause == Cause::bad_record);
  CHECK(rig.file.number(dead) == 0);
}

TEST_CASE("a link that is turned to another file ends what is written through it") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  const SqliteFile other("CREATE TABLE t (id INTEGER)");
  rig.options.file = rig.file.directory() + "/link.db";
  std::filesystem::create_symlink(rig.file.path(), rig.options.file);
  contract::committed(rig.store({R"({"id": 1})"}));
  std::filesystem::remove(rig.options.file);
  std::filesystem::create_symlink(other.path(), rig.options.file);
  CHECK_THAT(error_of(rig.store({R"({"id": 2})"})).message,
             Catch::Contains("moved, deleted or replaced"));
  CHECK_FALSE(rig.sink->keep_alive());
  CHECK(rig.file.number("SELECT count(*) FROM t") == 1);
}

TEST_CASE("whoever has a lock in another file system is not named") {
  const SmallDisk one;
  const SmallDisk two;
  if (!one.mounted || !two.mounted) {
    WARN("no file system can be mounted here");
    return;
  }
  struct stat first {};
  struct stat second {};
  write_file(one.dir / "x", "x");
  write_file(two.dir / "x", "x");
  REQUIRE(stat((one.dir / "x").c_str(), &first) == 0);
  REQUIRE(stat((two.dir / "x").c_str(), &second) == 0);
  REQUIRE(first.st_ino == second.st_ino);
  const test::Process holder({.argv = {"python3", "-c",
                                       "import fcntl, sys, time\n"
                                       "f = open(sys.argv[1], 'r+')\n"
                                       "fcntl.lockf(f, fcntl.LOCK_EX, 1, 120)\n"
                                       "print('locked', flush=True)\n"
                                       "time.sleep(600)\n",
                                       two.dir / "x"}});
  REQUIRE(eventually([&] { return holder.out().find("locked") != std::string::npos; }));
  CHECK(lock_holder(two.dir / "x", 120) ==
        "process " + std::to_string(holder.pid()) + " (python3)");
  CHECK(lock_holder(one.dir / "x", 120) == "another process");
}

TEST_CASE("the keep-alive of a file that is not at its place any more says so") {
  SqliteRig rig("CREATE TABLE t (id INTEGER)");
  rig.start();
  contract::must(rig.sink->keep_alive());
  std::filesystem::remove(rig.file.path());
  const auto alive = rig.sink->keep_alive();
  REQUIRE_FALSE(alive);
  CHECK(alive.error().kind == ErrorKind::fatal);
  CHECK_THAT(alive.error().message, Catch::Contains("moved, deleted or replaced"));
}

TEST_CASE("a disk that is full is waited for, and its records go in once there is room") {
  SqliteRig rig("CREATE TABLE t (id INTEGER, pad TEXT)");
  rig.start();
  const std::string pad(100'000, 'x');
  std::vector<std::string> values;
  for (int i = 0; i < 20; ++i) values.push_back(R"({"id": 1, "pad": ")" + pad + "\"}");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{200'000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
  const auto full = rig.store(values);
  const auto again = rig.store(values);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  REQUIRE_FALSE(full);
  CHECK(full.error().kind == ErrorKind::unavailable);
  CHECK(full.error().cause == Cause::sink);
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == ErrorKind::unavailable);
  CHECK(contract::committed(rig.store(values)).rows == 20);
  CHECK(rig.file.number(dead) == 0);
}

TEST_CASE("a file system without room is waited for by whatever writes into it") {
  const SmallDisk disk;
  if (!disk.mounted) {
    WARN("no file system can be mounted here");
    return;
  }
  SqliteRig rig("CREATE TABLE t (id INTEGER, pad TEXT)");
  rig.options.file = disk.dir / "small.db";
  std::filesystem::copy_file(rig.file.path(), rig.options.file);
  rig.start();
  {
    std::ofstream ballast(disk.dir / "ballast", std::ios::binary);
    const std::string piece(4'096, 'x');
    while (ballast.write(piece.data(), 4'096) && ballast.flush()) {
    }
  }
  const std::string pad(500'000, 'x');
  const std::vector<std::string> values{R"({"id": 1, "pad": ")" + pad + "\"}"};
  for (int i = 0; i < 3; ++i) {
    const auto full = rig.store(values);
    REQUIRE_FALSE(full);
    CHECK(full.error().kind == ErrorKind::unavailable);
    CHECK_THAT(full.error().message, Catch::Contains("full"));
  }
  std::filesystem::remove(disk.dir / "ballast");
  CHECK(contract::committed(rig.store(values)).rows == 1);
}
