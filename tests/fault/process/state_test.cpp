// The state directory, the clock and the memory: what a process has of its own, and how it fails.
#include <rocksdb/db.h>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A run that was killed at work, with plans in its log.
void kill_at_work(Rig& rig) {
  rig.configure("[batch]\nmax_records_per_partition = 500\n");
  rig.produce(50'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  semel.kill();
}

/// Files of the plan log whose name ends so, e.g. ".log".
std::vector<fs::path> files(const Rig& rig, const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(rig.state_dir())) {
    if (entry.path().extension() == extension && entry.file_size() > 0) {
      found.push_back(entry.path());
    }
  }
  return found;
}

/// Refuses to start, names the plan log, and goes on exactly once when that is out of the way.
void expect_refusal_then_recovery(Rig& rig, const std::string& word) {
  const auto refused = rig.finish("run", {"--once"});
  INFO(refused.err);
  CHECK(refused.code == 8);
  CHECK_THAT(refused.err, Catch::Contains(word) && Catch::Contains("plan log"));
  fs::remove_all(rig.state_dir());
  rig.drain();
  rig.expect_exactly_once();
}

}  // namespace

TEST_CASE("a plan log that lost its tail is read up to there, and nothing is lost") {
  if (!kafka_available()) return;
  Rig rig(2);
  kill_at_work(rig);
  const auto logs = files(rig, ".log");
  REQUIRE(!logs.empty());
  for (const auto& log : logs) fs::resize_file(log, fs::file_size(log) - fs::file_size(log) / 5);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("garbage in the plan log fails clearly, and removing it loses nothing") {
  if (!kafka_available()) return;
  Rig rig(2);
  kill_at_work(rig);
  const auto manifests = fs::recursive_directory_iterator(rig.state_dir());
  bool damaged = false;
  for (const auto& entry : manifests) {
    if (!entry.path().filename().string().starts_with("MANIFEST-")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10);
    file << "this is not what was written here, and no checksum will agree with it";
    damaged = true;
  }
  REQUIRE(damaged);
  expect_refusal_then_recovery(rig, "orrupt");
}

TEST_CASE("a plan from a newer version is refused by name") {
  if (!kafka_available()) return;
  Rig rig(2);
  kill_at_work(rig);
  {
    rocksdb::DB* raw = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    std::string directory;
    for (const auto& entry : fs::recursive_directory_iterator(rig.state_dir())) {
      if (entry.path().filename() == "plans") directory = entry.path();
    }
    REQUIRE(rocksdb::DB::Open({}, directory,
                              {{rocksdb::kDefaultColumnFamilyName, {}}, {"plans", {}}}, &families,
                              &raw)
                .ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    REQUIRE(db->Put({}, families[1], "00000000000000000001",
                    R"({"format":2,"batch_time":1,"ranges":[]})")
                .ok());
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  }
  expect_refusal_then_recovery(rig, "newer version");
}

TEST_CASE("a state directory without space stops the run, and nothing is lost") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 20\n");
  rig.produce(20'000);
  // Files may not grow beyond this many blocks of 1024 bytes: the write-ahead log soon will.
  const auto full = run({.argv = {"bash", "-c", "ulimit -f 32; exec \"$@\"", "bash", SEMEL_BINARY,
                                  "run", rig.config(), "--once"}});
  INFO(full.out << full.err);
  CHECK(full.signal == 0);
  CHECK(full.code == 8);
  CHECK_THAT(full.err, Catch::Contains("state_dir") || Catch::Contains("space"));
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a memory limit that is reached ends the process at most, and nothing is lost") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure("[batch]\nmax_records_per_partition = 100000\n");
  rig.produce(200'000);
  bool failed = false;
  // From too little to start to nearly enough, so that it runs out in different places.
  for (const int mib : {60, 150, 300, 450, 600, 750}) {
    const auto limited =
        run({.argv = {"bash", "-c", "ulimit -v " + std::to_string(mib * 1024) + "; exec \"$@\"",
                      "bash", SEMEL_BINARY, "run", rig.config(), "--once"}},
            60s);
    if (limited.signal != 0 || limited.code != 0) failed = true;
  }
  CHECK(failed);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("clocks that jump between and during runs keep batch times rising and lose nothing") {
  if (!kafka_available()) return;
  const TempDir dir;
  const std::string shift = dir / "shift";
  constexpr int day = 86'400;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 500\n");
  rig.environment({{"LD_PRELOAD", SHIFTED_CLOCK_LIBRARY}, {"SHIFTED_CLOCK", shift}});
  const auto set_clock = [&](int seconds) { write_file(shift, std::to_string(seconds)); };
  for (const int seconds : {day, -day, 7'200, -30 * day}) {
    CAPTURE(seconds);
    set_clock(seconds);
    rig.produce(5'000);
    const auto before = rig.rows();
    auto semel = rig.start();
    REQUIRE(rig.grows(before));
    // While it runs, as well.
    set_clock(-seconds);
    rig.produce(5'000);
    REQUIRE(eventually([&] { return rig.rows() == rig.produced(); }));
    semel.kill();
  }
  // The first run was a day ahead: what came after it had to go on above that.
  const auto now_ms = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
  CHECK(rig.number(std::string("SELECT min(batch_time) - ") + now_ms +
                   " FROM semel_commits WHERE kind = 'commit'") > 0);
  CHECK(rig.number("SELECT count(*) FROM (SELECT batch_time, lag(batch_time) OVER (PARTITION BY "
                   "\"partition\" ORDER BY until_offset) AS before FROM semel_commits WHERE kind = "
                   "'commit') AS t WHERE batch_time <= before") == 0);
  rig.environment({});
  rig.drain();
  rig.expect_exactly_once();
}
