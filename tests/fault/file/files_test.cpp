// The file sink in the whole program. What is in the files is read by a program of its own, and
// compared with what was produced.
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "base/crash_point.hpp"
#include "fault/faults.hpp"
#include "fault/small_disk.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

constexpr int partitions = 4;

/// A pipeline whose only sink is files.
struct Files : Rig {
  TempDir out{"semel-files"};
  std::string directory = out / "data";
  std::string taken = out / "taken";

  explicit Files(const std::string& sink = "") : Rig(partitions) {
    fs::create_directory(directory);
    fs::create_directory(taken);
    use(sink);
  }
  void use(const std::string& sink) {
    write_file(config(), fmt::format(R"(name = "{0}"
state_dir = "{1}"
{2}[source.kafka]
brokers = "{3}"
topics = ["{0}"]
[sink.file]
directory = "{4}"
roll.interval = "20ms"
{5}
)",
                                     topic(), state_dir(), top_level(),
                                     KafkaServer::shared().bootstrap_servers(), directory, sink));
  }
  /// semel's own directories, and files with a dot, come before anybody has taken over.
  static bool is_finished(const fs::directory_entry& one) {
    return one.is_regular_file() && !one.path().filename().string().starts_with('.');
  }
  /// As a user's program does, that takes files away as they come.
  void take_some() const {
    for (const auto& one : fs::directory_iterator(directory)) {
      if (is_finished(one)) {
        fs::rename(one.path(), fs::path(taken) / one.path().filename());
      }
    }
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::count_if(fs::directory_iterator(directory), fs::directory_iterator(), is_finished));
  }
  bool comes_more(std::size_t than) const {
    return eventually([&] { return files() > than; });
  }
  void expect_files_as_made() const {
    const auto compared = run({.argv = {"python3", SEMEL_FILES_AS_MADE, std::to_string(produced()),
                                        std::to_string(partitions), directory, taken}});
    INFO(compared.out << compared.err);
    CHECK(compared.code == 0);
    const auto verified = run({.argv = {SEMEL_BINARY, "verify", config()}});
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
    CHECK(
        (!fs::exists(directory + "/_dead_letters") || fs::is_empty(directory + "/_dead_letters")));
  }

 private:
  static std::string top_level() { return std::string(quick); }
};

}  // namespace

TEST_CASE("files lose nothing and double nothing, wherever and whenever the process is killed") {
  if (!kafka_available()) return;
  REQUIRE(semel::has_crash_points);
  Files files;
  files.produce(1'000);
  int kills = 0;
  const auto crash_at = [&](const std::string& place) {
    CAPTURE(place);
    files.environment({{"SEMEL_CRASH_AT", place}});
    files.produce(100);
    const auto result = files.finish("run", {"--once"});
    files.environment({});
    INFO(result.out << result.err);
    CHECK(result.signal == SIGKILL);
    kills += result.signal == SIGKILL ? 1 : 0;
    files.take_some();
  };
  // The first time, which is at the take-over, and one in the middle.
  for (const auto* place :
       {"file_named_journal", "file_wrote_base", "file_committed_base", "file_wrote_rows",
        "file_wrote_rows:2", "file_wrote_entry", "file_wrote_entry:3", "file_committed_entry",
        "file_committed_entry:3", "file_renamed", "file_renamed:2"}) {
    crash_at(place);
  }
  Load load(files);
  std::mt19937 random(20261126);
  const auto* cycles = std::getenv("SEMEL_KILL_CYCLES");
  for (int i = 0; i < (cycles != nullptr ? std::stoi(cycles) : 16); ++i) {
    const auto before = files.files();
    const auto* unit = i % 3 == 0 ? "batch" : i % 3 == 1 ? "range" : "auto";
    auto semel = files.start("run", {"--set", fmt::format("batch.commit={}", unit)});
    // Half of them while it starts, half of them while it works.
    if (i % 2 == 0) CHECK(files.comes_more(before));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200'000));
    const auto runs = semel.running();
    INFO(semel.err());
    CHECK(runs);
    semel.kill();
    ++kills;
    if (i % 4 == 0) files.take_some();
  }
  load.finish();
  files.drain();
  files.expect_files_as_made();
  // Of those that were killed nothing is left but the last one's own directory.
  std::size_t drafts = 0;
  for (const auto& one : fs::recursive_directory_iterator(files.directory + "/_semel")) {
    if (one.is_regular_file() && one.path().extension() != ".ledger") ++drafts;
  }
  CHECK(drafts == 0);
  fmt::print("{} kills, {} records in files\n", kills, files.produced());
}

TEST_CASE(
    "a process that was frozen anywhere adds nothing once it wakes, and keeps nobody waiting") {
  if (!kafka_available()) return;
  Files files("format = \"csv\"\nschema = [\"id int64\", \"name\", \"amount double\"]");
  Load load(files);
  std::mt19937 random(7);
  const auto* cycles = std::getenv("SEMEL_KILL_CYCLES");
  auto first = files.start();
  for (int i = 0; i < (cycles != nullptr ? std::stoi(cycles) / 4 : 5); ++i) {
    CHECK(files.comes_more(files.files()));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100'000));
    first.signal(SIGSTOP);
    auto second = files.start();
    CHECK(files.comes_more(files.files()));
    CHECK(files.comes_more(files.files()));
    first.signal(SIGCONT);
    expect_end(first, 5, {"fenced"});
    first = std::move(second);
  }
  load.finish();
  stop(first);
  files.drain();
  files.expect_files_as_made();
}

TEST_CASE("a disk that is full is waited for, and its records come once there is room") {
  if (!kafka_available()) return;
  SmallDisk disk(8);
  if (skip(disk)) return;
  Files files;
  files.directory = disk.path() + "/data";
  fs::create_directory(files.directory);
  files.use("");
  files.produce(400);
  auto semel = files.start("run", every_failure);
  REQUIRE(files.comes_more(2));
  files.produce(400);
  disk.fill();
  files.produce(40'000);
  CHECK(says(semel, "No space left on device"));
  std::this_thread::sleep_for(300ms);
  CHECK(semel.running());
  disk.make_room();
  CHECK(eventually([&] { return files.finish("status").out.find("lag 0") != std::string::npos; }));
  stop(semel);
  files.drain();
  files.expect_files_as_made();
}

TEST_CASE("whatever call the disk lets fail, each record is in one file, once") {
  if (!kafka_available()) return;
  Files files;
  struct Failure {
    const char* call;
    int code;
    std::vector<int> nth;
    int exit_code;
  };
  // What passes is waited for; of what the disk may have lost, the next start finds out.
  const std::vector<Failure> all{
      {"fsync", EIO, {2, 5, 7, 8, 9, 10}, 4}, {"fdatasync", EIO, {1, 2, 3, 4}, 4},
      {"fsync", ENOSPC, {8, 9, 10}, 0},       {"fdatasync", ENOSPC, {2, 3, 4}, 0},
      {"pwrite", EDQUOT, {1, 2, 3, 4, 5}, 0}, {"renameat2", ENOSPC, {3, 4}, 0},
      {"renameat2", EIO, {3, 5}, 4}};
  for (const auto& [call, code, times, exit_code] : all) {
    for (const int nth : times) {
      CAPTURE(call, code, nth);
      files.produce(100);
      files.environment(
          {{"LD_PRELOAD", FAILING_DISK_LIBRARY},
           {"FAILING_DISK", fmt::format("{}:{}:{}:{}", call, nth, code, files.directory)}});
      const auto result = files.finish("run", {"--once"});
      files.environment({});
      INFO(result.out << result.err);
      CHECK(result.code == exit_code);
      if (exit_code == 4) CHECK_THAT(result.err, Catch::Contains("the disk fails"));
    }
  }
  files.drain();
  files.expect_files_as_made();
}

TEST_CASE("a directory that goes while it is written ends the run, and says so") {
  if (!kafka_available()) return;
  Files files;
  files.produce(400);
  auto semel = files.start();
  REQUIRE(files.comes_more(2));
  fs::rename(files.directory, files.out / "elsewhere");
  fs::create_directory(files.directory);
  files.produce(400);
  expect_end(semel, 4, {"moved, deleted or replaced"});
  CHECK(fs::is_empty(files.directory));
  fs::remove(files.directory);
  fs::rename(files.out / "elsewhere", files.directory);
  files.drain();
  files.expect_files_as_made();
}

TEST_CASE("every command works on a pipeline that writes files") {
  if (!kafka_available()) return;
  Files files;
  files.produce(40);
  const auto checked = files.finish("check");
  INFO(checked.out << checked.err);
  CHECK(checked.code == 0);
  CHECK(fs::is_empty(files.directory));
  const auto sampled = files.finish("check", {"--sample", "3"});
  CHECK_THAT(sampled.out, Catch::Contains("name-0"));
  CHECK(files.finish("status").code == 4);
  files.drain();
  CHECK(files.finish("status").code == 0);
  CHECK(files.finish("sql").code == 0);
  CHECK_THAT(files.finish("offsets", {"show"}).out, Catch::Contains("10"));
  CHECK(files.finish("offsets", {"set", fmt::format("{}:0=5", files.topic())}).code == 0);
  files.drain();
  CHECK(fs::exists(
      fmt::format("{}/{}-0-{:020}-{:020}.jsonl", files.directory, files.topic(), 5, 10)));
  const auto verified = files.finish("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}

TEST_CASE("a directory that cannot be written is said, before anything is taken over") {
  if (!kafka_available()) return;
  Files files;
  files.produce(4);
  fs::remove(files.directory);
  const auto missing = files.finish("run", {"--once"});
  CHECK(missing.code == 4);
  CHECK_THAT(missing.err, Catch::Contains("sink.file.directory"));
  write_file(files.directory, "a file");
  CHECK(files.finish("check").code == 4);
  fs::remove(files.directory);
  fs::create_directory_symlink("/proc/self", files.directory);
  const auto proc = files.finish("run", {"--once"});
  CHECK(proc.code == 4);
  CHECK_THAT(proc.err, Catch::Contains("other machines may write"));
}
