#include "state/store.hpp"

#include <map>
#include <random>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

using namespace state;

namespace {

const Version v1{{10}, 1};
const Version v2{{20}, 2};

Prepared change(const Version& from, const Version& to) {
  return {.version = to,
          .parent = from,
          .ranges = {{{"a", 3}, 5, 9}, {{"~batches", 0}, 0, 1 << 20}},
          .checksum = 77};
}

std::map<std::string, std::string> all_of(const Store& store) {
  std::map<std::string, std::string> all;
  const auto seen = store.scan("", [&](std::string_view key, std::string_view value) {
    all[std::string(key)] = value;
    return true;
  });
  REQUIRE(seen);
  return all;
}

std::unique_ptr<Store> opened(const TempDir& dir) {
  return Store::open((dir.path() / "state").string()).value();
}

using Content = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("a change counts once it is applied, and is there again after a restart") {
  const TempDir dir;
  {
    auto store = opened(dir);
    REQUIRE(store->prepare(change({}, v1), {{"x", "1"}, {"y", "2"}}));
    CHECK(all_of(*store).empty());
    REQUIRE(store->apply());
    REQUIRE(store->prepare(change(v1, v2), {{"x", "3"}, {"y", std::nullopt}}));
  }
  auto store = opened(dir);
  CHECK(store->stored().base == v1);
  CHECK(store->stored().prepared == change(v1, v2));
  CHECK(all_of(*store) == Content{{"x", "1"}, {"y", "2"}});
  REQUIRE(store->apply());
  CHECK(all_of(*store) == Content{{"x", "3"}});
  CHECK(store->stored().base == v2);
  CHECK_FALSE(store->stored().prepared);
}

TEST_CASE("what is prepared may be dropped, or prepared anew") {
  const TempDir dir;
  auto store = opened(dir);
  REQUIRE(store->prepare(change({}, v1), {{"x", "1"}}));
  REQUIRE(store->drop());
  CHECK_FALSE(store->stored().prepared);
  REQUIRE(store->prepare(change({}, v1), {{"x", "1"}}));
  REQUIRE(store->prepare(change({}, v2), {{"x", "2"}}));
  REQUIRE(store->apply());
  CHECK(store->stored().base == v2);
  CHECK(all_of(*store) == Content{{"x", "2"}});
}

TEST_CASE("the last change can be taken back, and is prepared then") {
  const TempDir dir;
  auto store = opened(dir);
  REQUIRE(store->prepare(change({}, v1), {{"x", "1"}, {"y", "1"}}));
  REQUIRE(store->apply());
  REQUIRE(store->prepare(change(v1, v2), {{"x", std::nullopt}, {"y", "2"}, {"z", "2"}}));
  REQUIRE(store->apply());
  REQUIRE(store->take_back());
  CHECK(all_of(*store) == Content{{"x", "1"}, {"y", "1"}});
  CHECK(store->stored().base == v1);
  CHECK(store->stored().prepared == change(v1, v2));
  REQUIRE(store->apply());
  CHECK(all_of(*store) == Content{{"y", "2"}, {"z", "2"}});
}

TEST_CASE("a change of another base is a mistake") {
  const TempDir dir;
  auto store = opened(dir);
  CHECK_FALSE(store->prepare(change(v1, v2), {}));
  CHECK_FALSE(store->apply());
  CHECK_FALSE(store->take_back());
}

TEST_CASE("a state is one process's at a time") {
  const TempDir dir;
  auto store = opened(dir);
  const auto second = Store::open((dir.path() / "state").string());
  REQUIRE_FALSE(second);
  CHECK(second.error().cause == Cause::state);
  CHECK_THAT(second.error().message, Catch::Contains("has it"));
}

TEST_CASE("an empty state may begin at any version") {
  const TempDir dir;
  auto store = opened(dir);
  REQUIRE(store->prepare(change({}, v1), {{"x", "1"}}));
  REQUIRE(store->apply());
  REQUIRE(store->begin_empty(v2));
  CHECK(all_of(*store).empty());
  CHECK(store->stored().base == v2);
  CHECK_FALSE(store->stored().undo);
}

TEST_CASE("keys that were removed come back by nothing that is kept") {
  const TempDir dir;
  {
    auto store = opened(dir);
    REQUIRE(store->prepare(change({}, v1), {{"old 1", "1"}, {"x", "1"}}));
    REQUIRE(store->apply());
    REQUIRE(store->prepare(change(v1, v2), {{"old 1", "2"}, {"old 2", "2"}, {"x", "2"}}));
    REQUIRE(store->remove_all("old "));
    CHECK(all_of(*store) == Content{{"x", "1"}});
    CHECK(store->prepared_delta().value() == Delta{{"x", "2"}});
    // Whoever computes the batch again has it without them.
    CHECK(store->stored().prepared->checksum == checksum(encode(Delta{{"x", "2"}})));
  }
  auto store = opened(dir);
  REQUIRE(store->apply());
  CHECK(all_of(*store) == Content{{"x", "2"}});
  REQUIRE(store->take_back());
  CHECK(all_of(*store) == Content{{"x", "1"}});
}

TEST_CASE("keys that were removed do not come back where a change is taken back") {
  const TempDir dir;
  auto store = opened(dir);
  REQUIRE(store->prepare(change({}, v1), {{"old 1", "1"}, {"x", "1"}}));
  REQUIRE(store->apply());
  REQUIRE(store->prepare(change(v1, v2), {{"old 1", std::nullopt}, {"old 2", "2"}, {"x", "2"}}));
  REQUIRE(store->apply());
  REQUIRE(store->remove_all("old "));
  REQUIRE(store->take_back());
  CHECK(all_of(*store) == Content{{"x", "1"}});
  REQUIRE(store->apply());
  CHECK(all_of(*store) == Content{{"x", "2"}});
}

TEST_CASE("a checkpoint is a state of its own") {
  const TempDir dir;
  auto store = opened(dir);
  REQUIRE(store->prepare(change({}, v1), {{"x", "1"}}));
  REQUIRE(store->apply());
  // In a folder that is not there yet, as a new disk for backups may be.
  const auto copy = (dir.path() / "backup" / "monday/").string();
  const auto made = store->checkpoint(copy);
  if (!made) FAIL(made.error().message);
  REQUIRE(store->prepare(change(v1, v2), {{"x", "2"}}));
  REQUIRE(store->apply());
  auto restored = Store::open(copy).value();
  CHECK(restored->stored().base == v1);
  CHECK(all_of(*restored) == Content{{"x", "1"}});
}

TEST_CASE("changes are the same after they were bytes, whatever is in them") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Delta delta;
    for (int i = static_cast<int>(random() % 20); i > 0; --i) {
      std::string key;
      std::string value;
      for (auto n = random() % 300; n > 0; --n) key += static_cast<char>(random());
      for (auto n = random() % 300; n > 0; --n) value += static_cast<char>(random());
      delta[key] = random() % 3 == 0 ? std::nullopt : std::optional(value);
    }
    const auto bytes = encode(delta);
    CHECK(decode_delta(bytes) == delta);
    if (bytes.size() > 1) CHECK(decode_delta(bytes.substr(0, bytes.size() - 1)) != delta);
  }
  CHECK(decode_prepared(encode(change(v1, v2))) == change(v1, v2));
  CHECK(decode_version(encode(v2)) == v2);
  CHECK_FALSE(decode_version("\2"));
  CHECK_FALSE(decode_version(""));
}

TEST_CASE("a version is in the mark of ~batches, and comes out of it again") {
  const Version version{{1'700'000'000'000}, 0x7FFF'FFFF'FFFF'FFFF};
  const auto mark = mark_of(version, 5, 100);
  CHECK(mark.offset == 99);
  CHECK(version_of(Progress{
            .tp = {"~batches", 0}, .until = 100, .batch_time = version.time, .last = mark}) ==
        version);
  CHECK(version_of(std::nullopt) == Version());
  CHECK(version_of(Progress{.tp = {"~batches", 0}}) == Version());
}

}  // namespace semel::test
