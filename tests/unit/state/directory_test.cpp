#include "state/directory.hpp"

#include <filesystem>

#include "state/moving.hpp"
#include "state/stages.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

using namespace state;

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t noon = 1'769'860'800'000;  // 2026-01-31T12:00:00Z

/// A store at that version, which has one key.
void make_state(const std::string& directory, const Version& version, const std::string& value) {
  auto store = Store::open(directory);
  REQUIRE(store);
  REQUIRE((*store)->prepare({.version = version, .parent = {}, .ranges = {}, .checksum = 1},
                            {{"key", value}}));
  REQUIRE((*store)->apply());
}

std::string value_in(const std::string& directory) {
  const auto store = Store::open(directory);
  REQUIRE(store);
  const auto value = (*store)->get("key");
  REQUIRE(value);
  return value->value_or("none");
}

const Version older{{10}, 0xA};
const Version newer{{20}, 0xB};

}  // namespace

TEST_CASE("a state that is put in place moves the other one aside") {
  TempDir dir;
  const std::string state = dir / "state";
  make_state(state, older, "old");
  make_state(dir / "made", newer, "new");
  const auto aside = beside(state, "before", noon);
  CHECK(aside == state + ".before-20260131T120000Z");
  REQUIRE(put_in_place(dir / "made", state, aside));
  CHECK(value_in(state) == "new");
  CHECK(value_in(aside) == "old");
  CHECK_FALSE(fs::exists(dir / "made"));
  CHECK(beside(state, "before", noon) == aside + "-2");

  fs::remove_all(state);
  REQUIRE(put_in_place(aside, state, beside(state, "before", noon)));
  CHECK(value_in(state) == "old");
}

TEST_CASE("a state that another process has stays where it is") {
  TempDir dir;
  const std::string state = dir / "state";
  make_state(state, older, "old");
  make_state(dir / "made", newer, "new");
  REQUIRE(nobody_has(state));
  // Its lock, as RocksDB takes it.
  Process other({.argv = {"python3", "-c",
                          "import fcntl, sys\nf = open(sys.argv[1], 'r+')\nfcntl.lockf(f, "
                          "fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()\nimport "
                          "time\ntime.sleep(60)",
                          state + "/LOCK"}});
  REQUIRE(eventually([&] { return other.out() == "held\n"; }));
  const auto has = "process " + std::to_string(other.pid());
  CHECK_THAT(nobody_has(state).error().message, Catch::Contains(has));
  const auto refused = put_in_place(dir / "made", state, beside(state, "before", noon));
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains(has));
  other.kill();
  CHECK(value_in(state) == "old");
  CHECK(value_in(dir / "made") == "new");
}

TEST_CASE("a checkpoint is copied whole, and what is none is refused") {
  TempDir dir;
  make_state(dir / "state", older, "old");
  {
    const auto store = Store::open(dir / "state");
    REQUIRE((*store)->checkpoint(dir / "copy"));
    const auto again = (*store)->checkpoint(dir / "copy");
    REQUIRE_FALSE(again);
    CHECK_THAT(again.error().message, Catch::Contains("is not there yet"));
  }
  REQUIRE(copy_state(dir / "copy", dir / "second"));
  CHECK(value_in(dir / "second") == "old");
  CHECK(value_in(dir / "copy") == "old");
  fs::create_directory(dir / "other");
  CHECK_THAT(copy_state(dir / "other", dir / "third").error().message,
             Catch::Contains("no checkpoint"));
  CHECK_FALSE(fs::exists(dir / "third"));
  CHECK(*has_state(dir / "copy"));
  CHECK_FALSE(*has_state(dir / "other"));
  CHECK_FALSE(*has_state(dir / "nowhere"));
}

TEST_CASE("a note of what is being moved is read as it was written, until it is ended") {
  TempDir dir;
  const std::string state = dir / "state";
  CHECK_FALSE(*read_moving(state));
  const Moving moving{.command = "semel offsets c.toml set a:0=5 --state rewind",
                      .with = With::rewind,
                      .from = older,
                      .to = newer,
                      .positions = {{.tp = {"a", 0}, .until = 5, .last = std::nullopt},
                                    {.tp = {"+files.b", 0}, .until = 7, .last = std::nullopt}}};
  REQUIRE(write_moving(state, moving));
  const auto read = read_moving(state);
  REQUIRE(read);
  REQUIRE(*read);
  CHECK((**read).command == moving.command);
  CHECK((**read).with == With::rewind);
  CHECK((**read).from == older);
  CHECK((**read).to == newer);
  REQUIRE((**read).positions.size() == 2);
  CHECK((**read).positions[1].tp == TopicPartition{"+files.b", 0});
  CHECK((**read).positions[1].until == 7);
  CHECK_THAT(unfinished(state, moving).value().message,
             Catch::Contains("`" + moving.command + "`"));
  REQUIRE(end_moving(state));
  CHECK_FALSE(*read_moving(state));

  // Torn by hand: nobody goes on as if there were none.
  write_file(dir.path() / "state.moving", "semel moves positions and state 1\nsemel");
  CHECK_FALSE(read_moving(state));
}

TEST_CASE("stages are told with their keys, and without the key that says how they are kept") {
  TempDir dir;
  auto store = Store::open(dir / "state");
  REQUIRE(store);
  const auto key = [](const std::string& stage, const std::string& name) {
    return prefix_of(stage) + name;
  };
  REQUIRE((*store)->prepare({.version = older, .parent = {}, .ranges = {}, .checksum = 1},
                            {{key("one", "m"), "1 i64"},
                             {key("one", "kx"), "abc"},
                             {key("one", "ky"), ""},
                             {key("one more", "kz"), "d"}}));
  REQUIRE((*store)->apply());
  const auto stages = stages_in(**store);
  REQUIRE(stages);
  REQUIRE(stages->size() == 2);
  CHECK(stages->front().stage == "one");
  CHECK(stages->front().shape == "1 i64");
  CHECK(stages->front().keys == 2);
  CHECK(stages->front().bytes == 15);
  CHECK(stages->back().stage == "one more");
  CHECK(stages->back().keys == 1);
}

TEST_CASE("a state that is called another version stays what it is, and cannot go back") {
  TempDir dir;
  auto store = Store::open(dir / "state");
  REQUIRE(store);
  REQUIRE((*store)->prepare({.version = older, .parent = {}, .ranges = {}, .checksum = 1},
                            {{"key", "1"}}));
  REQUIRE((*store)->apply());
  REQUIRE((*store)->call_it(newer));
  CHECK((*store)->stored().base == newer);
  CHECK_FALSE((*store)->stored().undo);
  CHECK(**(*store)->get("key") == "1");
  store->reset();
  CHECK(value_in(dir / "state") == "1");
}

}  // namespace semel::test
