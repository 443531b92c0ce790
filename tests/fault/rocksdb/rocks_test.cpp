// The RocksDB sink in the whole program. What is in the database is read by `ldb`, which comes with
// RocksDB, and compared with what was produced.
#include <fmt/format.h>
#include <csignal>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "fault/faults.hpp"
#include "fault/small_disk.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

constexpr int rocks_partitions = 4;

/// A pipeline whose only sink is a database of RocksDB, with a row for each record.
struct Rocks : Rig {
  TempDir out{"semel-rocks"};
  std::string directory = out / "rows.rocks";

  Rocks() : Rig(rocks_partitions) { use(); }
  void use() {
    write_file(config(), fmt::format(R"(name = "{0}"
state_dir = "{1}"
{2}[source.kafka]
brokers = "{3}"
topics = ["{0}"]
[sink.rocksdb]
directory = "{4}"
table = "events"
rows = "by_position"
)",
                                     topic(), state_dir(), std::string(quick),
                                     KafkaServer::shared().bootstrap_servers(), directory));
  }
  /// Lines "key : value", while nobody else writes or while somebody does.
  std::string scan(const std::string& family) const {
    return run({.argv = {"ldb", "--db=" + directory, "--column_family=" + family, "scan"}}).out;
  }
  bool moves_on(Process& semel) {
    const auto before = finish("status").out;
    return eventually([&] { return !semel.running() || finish("status").out != before; });
  }
  void expect_rows_as_made() {
    std::map<std::int64_t, int> seen;
    std::istringstream lines(scan("events"));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string name, colon, value;
      std::int64_t partition = 0;
      std::int64_t offset = 0;
      words >> name >> partition >> offset >> colon;
      std::getline(words, value);
      const auto id = std::stoll(value.substr(value.find("\"id\":") + 5));
      ++seen[id];
      CAPTURE(line);
      REQUIRE(id % rocks_partitions == partition);
      REQUIRE(id / rocks_partitions == offset);
      REQUIRE(value.find(fmt::format("name-{}\"", id * 7919 % 1000)) != std::string::npos);
    }
    CHECK(static_cast<std::int64_t>(seen.size()) == produced());
    for (const auto& [id, times] : seen) REQUIRE((id < produced() && times == 1));
    const auto verified = finish("verify");
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
    CHECK(scan("semel").find("semel_dead_letters " + topic()) == std::string::npos);
  }
};

}  // namespace

TEST_CASE("RocksDB loses nothing and doubles nothing, whenever the process is killed") {
  if (!kafka_available()) return;
  Rocks rocks;
  rocks.produce(1'000);
  Load load(rocks);
  std::mt19937 random(20261126);
  const auto* cycles = std::getenv("SEMEL_KILL_CYCLES");
  const int kills = cycles != nullptr ? std::stoi(cycles) : 16;
  for (int i = 0; i < kills; ++i) {
    const auto* unit = i % 3 == 0 ? "batch" : i % 3 == 1 ? "range" : "auto";
    auto semel = rocks.start("run", {"--set", fmt::format("batch.commit={}", unit)});
    if (i % 2 == 0) CHECK(rocks.moves_on(semel));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200'000));
    INFO(semel.err());
    CHECK(semel.running());
    semel.kill();
  }
  load.finish();
  rocks.drain();
  rocks.expect_rows_as_made();
}

TEST_CASE("a second process is told who has the database, and goes on once that has ended") {
  if (!kafka_available()) return;
  Rocks rocks;
  rocks.produce(400);
  auto first = rocks.start();
  REQUIRE(
      eventually([&] { return rocks.finish("status").out.find("lag 0") != std::string::npos; }));
  auto second = rocks.start("run", every_failure);
  CHECK(says(second, fmt::format("process {} (semel) has this database", first.pid())));
  // What only reads looks at it beside them; what would write says who has it.
  CHECK(rocks.finish("verify").code == 0);
  const auto checked = rocks.finish("check");
  CHECK(checked.code == 4);
  CHECK_THAT(checked.out + checked.err,
             Catch::Contains(fmt::format("process {} (semel) has this database", first.pid())));
  first.kill();
  rocks.produce(400);
  CHECK(eventually([&] { return rocks.finish("status").out.find("lag 0") != std::string::npos; }));
  stop(second);
  rocks.expect_rows_as_made();
}

TEST_CASE("a full disk below RocksDB is waited for, and its records come once there is room") {
  if (!kafka_available()) return;
  SmallDisk disk(48);
  if (skip(disk)) return;
  Rocks rocks;
  rocks.directory = disk.path() + "/rows.rocks";
  rocks.use();
  rocks.produce(400);
  auto semel = rocks.start("run", every_failure);
  REQUIRE(
      eventually([&] { return rocks.finish("status").out.find("lag 0") != std::string::npos; }));
  disk.fill();
  rocks.produce(40'000);
  CHECK(says(semel, "free space there"));
  std::this_thread::sleep_for(300ms);
  INFO(semel.err());
  CHECK(semel.running());
  disk.make_room();
  CHECK(eventually([&] { return rocks.finish("status").out.find("lag 0") != std::string::npos; }));
  stop(semel);
  rocks.drain();
  rocks.expect_rows_as_made();
}

TEST_CASE("a database that is damaged or gone ends the run, and says so") {
  if (!kafka_available()) return;
  Rocks rocks;
  rocks.produce(400);
  SECTION("moved away while it is written") {
    auto semel = rocks.start();
    REQUIRE(
        eventually([&] { return rocks.finish("status").out.find("lag 0") != std::string::npos; }));
    fs::rename(rocks.directory, rocks.out / "elsewhere");
    rocks.produce(400);
    expect_end(semel, 4, {"moved, deleted or replaced"});
    CHECK(!fs::exists(rocks.directory));
    fs::rename(rocks.out / "elsewhere", rocks.directory);
    rocks.drain();
    rocks.expect_rows_as_made();
  }
  SECTION("a manifest that is none") {
    rocks.drain();
    for (const auto& one : fs::directory_iterator(rocks.directory)) {
      if (one.path().filename().string().starts_with("MANIFEST")) {
        write_file(one.path(), "this is no manifest of RocksDB, whatever it was before");
      }
    }
    const auto ended = rocks.finish("run", {"--once"});
    CHECK(ended.code == 4);
    CHECK_THAT(ended.err, Catch::Contains("the database is damaged"));
    CHECK(rocks.finish("status").code == 4);
  }
}

TEST_CASE("every command works on a pipeline that writes to RocksDB") {
  if (!kafka_available()) return;
  Rocks rocks;
  rocks.produce(40);
  const auto checked = rocks.finish("check");
  INFO(checked.out << checked.err);
  CHECK(checked.code == 0);
  CHECK(!fs::exists(rocks.directory));
  CHECK_THAT(rocks.finish("check", {"--sample", "3"}).out, Catch::Contains("name-0"));
  CHECK(!fs::exists(rocks.directory));
  CHECK(rocks.finish("status").code == 4);
  rocks.drain();
  CHECK(rocks.finish("check").code == 0);
  CHECK(rocks.finish("status").code == 0);
  CHECK(rocks.finish("sql").code == 0);
  CHECK_THAT(rocks.finish("offsets", {"show"}).out, Catch::Contains("10"));
  CHECK(rocks.finish("offsets", {"set", fmt::format("{}:0=5", rocks.topic())}).code == 0);
  rocks.drain();
  rocks.expect_rows_as_made();
}
