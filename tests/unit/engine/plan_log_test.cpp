#include "engine/plan_log.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/plan_codec.hpp"
#include "support/catch.hpp"

using namespace semel;
using engine::PlanLog;

namespace {

struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "semel-plan-log-XXXXXX";
    const auto full = std::filesystem::temp_directory_path() / name;
    std::string text = full.string();
    REQUIRE(mkdtemp(text.data()) != nullptr);
    path = text;
  }
  ~TempDir() { std::filesystem::remove_all(path); }
};

core::Batch batch(std::int64_t time, Offset from) {
  return {{time},
          {{.range = {{"clicks", 0}, from, from + 10}, .kind = TaskKind::load, .reason = {}},
           {.range = {{"clicks", 1}, 500, 3}, .kind = TaskKind::lost, .reason = "re\"created\n"}}};
}

std::unique_ptr<PlanLog> open(const std::string& directory) {
  std::string note;
  auto log = PlanLog::open(directory, note);
  if (!log) FAIL(log.error().message);
  CHECK(note.empty());
  return *std::move(log);
}

void append(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

std::string newest_wal(const std::string& directory) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/plans")) {
    if (entry.path().extension() == ".log") newest = std::max(newest, entry.path().string());
  }
  REQUIRE(!newest.empty());
  return newest;
}

}  // namespace

TEST_CASE("that a batch was given up reads back, and is of lost ranges only") {
  auto original = batch(1'700'000'000'000, 7);
  original.given_up = true;
  CHECK_FALSE(engine::decode_plan(engine::encode_plan(original)));
  original.ranges.erase(original.ranges.begin());
  const auto back = engine::decode_plan(engine::encode_plan(original));
  REQUIRE(back);
  CHECK(*back == original);
}

TEST_CASE("a plan reads back as it was written, lost ranges and their reasons included") {
  const auto original = batch(1'700'000'000'000, 7);
  const auto decoded = engine::decode_plan(engine::encode_plan(original));
  REQUIRE(decoded);
  CHECK(*decoded == original);
}

TEST_CASE("a plan from a newer version is refused by name") {
  const auto decoded = engine::decode_plan(R"({"format":2,"batch_time":1,"ranges":[]})");
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().cause == Cause::state);
  CHECK_THAT(decoded.error().message, Catch::Contains("format 2") && Catch::Contains("newer"));
}

TEST_CASE("garbage is not a plan") {
  for (
      const auto* text :
      {"", "{", "[]", R"({"format":1})", R"({"format":1,"batch_time":"x","ranges":[]})",
       R"({"format":1,"batch_time":1,"ranges":[{"topic":"t","partition":0,"from":9,"until":9}]})",
       R"({"format":1,"batch_time":1,"ranges":[{"topic":"","partition":0,"from":1,"until":9}]})",
       R"({"format":1,"batch_time":1,"ranges":[{"topic":"t","partition":-1,"from":1,"until":9}]})",
       // Numbers that a narrower type would read as others.
       R"({"format":1.5,"batch_time":1,"ranges":[]})",
       R"({"format":true,"batch_time":1,"ranges":[]})",
       R"({"format":1,"batch_time":18446744073709551615,"ranges":[]})",
       R"({"format":1,"batch_time":1e300,"ranges":[]})",
       R"({"format":1,"batch_time":1,"ranges":[{"topic":"t","partition":4294967296,"from":1,"until":9}]})",
       R"({"format":1,"batch_time":1,"ranges":[{"topic":"t","partition":0,"from":1.5,"until":9}]})"}) {
    CAPTURE(text);
    CHECK_FALSE(engine::decode_plan(text));
  }
}

TEST_CASE("plans survive a restart, in time order, until they are forgotten") {
  const TempDir dir;
  {
    const auto log = open(dir.path);
    REQUIRE(log->put(batch(2'000, 20)));
    REQUIRE(log->put(batch(1'000, 10)));
    REQUIRE(log->put(batch(3'000, 30)));
    REQUIRE(log->erase({2'000}));
  }
  const auto plans = open(dir.path)->load();
  REQUIRE(plans);
  CHECK(*plans == std::vector{batch(1'000, 10), batch(3'000, 30)});
}

TEST_CASE("a log that another process holds does not stop a take-over") {
  const TempDir dir;
  const auto held = open(dir.path);
  std::string note;
  const auto own = PlanLog::open(dir.path, note);
  REQUIRE(own);
  CHECK_THAT(note, Catch::Contains("plans-2"));
}

// Run by the next test, as a program: ThreadSanitizer wants no threads in a child that has not been
// one from the start.
TEST_CASE("a program that opens the log a hundred times", "[.]") {
  const auto* directory = std::getenv("SEMEL_PLAN_LOG_TEST");
  REQUIRE(directory != nullptr);
  for (int round = 0; round < 100; ++round) {
    std::string note;
    const auto log = PlanLog::open(directory, note);
    INFO((log ? "" : log.error().message));
    REQUIRE(log);
  }
}

TEST_CASE("processes that open the log at the same moment each get one") {
  // RocksDB tidies the directory before it takes its lock, and trips over whoever does so, too.
  const TempDir dir;
  REQUIRE(setenv("SEMEL_PLAN_LOG_TEST", dir.path.c_str(), 1) == 0);
  std::vector<pid_t> children(4);
  for (auto& child : children) {
    child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "unit-engine", "a program that opens the log a hundred times",
            nullptr);
      _exit(127);
    }
  }
  for (const auto child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  unsetenv("SEMEL_PLAN_LOG_TEST");
}

TEST_CASE("a record torn at the end of the log is dropped, garbage in it is an error") {
  const TempDir dir;
  {
    const auto log = open(dir.path);
    for (int i = 1; i <= 100; ++i) REQUIRE(log->put(batch(i * 1'000, i)));
  }
  const auto wal = newest_wal(dir.path);
  SECTION("torn") {
    std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 5);
    const auto plans = open(dir.path)->load();
    REQUIRE(plans);
    CHECK(plans->size() == 99);
  }
  SECTION("garbage") {
    std::fstream file(wal, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(wal) / 2));
    file << std::string(64, '\xff');
    file.close();
    std::string note;
    const auto log = PlanLog::open(dir.path, note);
    REQUIRE_FALSE(log);
    CHECK(log.error().cause == Cause::state);
    CHECK_THAT(log.error().message, Catch::Contains("corrupt") && Catch::Contains(dir.path));
  }
}

TEST_CASE("a log that is not a database says so and what to do") {
  const TempDir dir;
  {
    const auto log = open(dir.path);
    REQUIRE(log->put(batch(1'000, 1)));
  }
  std::ofstream(dir.path + "/plans/CURRENT", std::ios::trunc) << "no such manifest";
  std::string note;
  const auto log = PlanLog::open(dir.path, note);
  REQUIRE_FALSE(log);
  CHECK_THAT(log.error().message, Catch::Contains("Nothing is lost by removing that directory"));
}

TEST_CASE("a state directory that cannot be made is an error that names it") {
  const TempDir dir;
  append(dir.path + "/file", "not a directory");
  std::string note;
  const auto log = PlanLog::open(dir.path + "/file/state", note);
  REQUIRE_FALSE(log);
  CHECK(log.error().cause == Cause::state);
  CHECK_THAT(log.error().message, Catch::Contains("state_dir"));
}

TEST_CASE("a log of another user is said to be that, and not held by another process") {
  if (geteuid() != 0) return;  // only root can become somebody else
  const TempDir dir;
  open(dir.path);
  REQUIRE(chmod(dir.path.c_str(), 0777) == 0);
  int said[2];
  REQUIRE(pipe(said) == 0);
  const auto child = fork();
  if (child == 0) {
    constexpr uid_t nobody = 65'534;
    std::string text = "not somebody else";
    if (setgid(nobody) == 0 && setuid(nobody) == 0) {
      std::string note;
      const auto log = PlanLog::open(dir.path, note);
      const auto checked = PlanLog::look(dir.path);
      text = (log ? "opened " + note : log.error().message) +
             (checked ? "" : "\n" + checked.error().message);
    }
    (void)!write(said[1], text.data(), text.size());
    _exit(0);
  }
  close(said[1]);
  std::string text(4'096, 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(read(said[0], text.data(), 4'096), 0)));
  close(said[0]);
  waitpid(child, nullptr, 0);
  CHECK_THAT(text, Catch::Contains("Permission denied") && Catch::Contains("another user"));
  CHECK_THAT(text, !Catch::Contains("holds the plan log") && Catch::Contains("\n"));
}
