// What whole pipelines remember: restarts, checkpoints, and an empty beginning.
#include <filesystem>
#include <optional>

#include "state/moving.hpp"
#include "state/store.hpp"
#include "support/catch.hpp"
#include "unit/stream/world.hpp"

namespace semel::test {

TEST_CASE("state goes on after a restart") {
  World world;
  const auto run = [&world] {
    auto pipeline = world.pipeline({"out"});
    counted(pipeline).to("out");
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
  };
  world.produce("left", {"a", "b", "a"});
  run();
  world.produce("left", {"a"});
  run();
  CHECK(world.rows("out") == Values{as_object("a2"), as_object("a3"), as_object("b1")});
}

TEST_CASE("after close() another pipeline of the process can have the state") {
  World world;
  world.produce("left", {"a"});
  auto first = world.pipeline({"out"});
  counted(first).to("out");
  REQUIRE(first.run());
  auto too_early = world.pipeline({"out"});
  counted(too_early).to("out");
  CHECK_FALSE(too_early.run());
  first.close();
  world.produce("left", {"a"});
  stream::Setup setup;
  Values told;
  setup.log = [&told](LogLevel, std::string_view line) { told.emplace_back(line); };
  auto second = world.pipeline({"out"}, std::move(setup));
  counted(second).to("out");
  const auto done = second.run();
  if (!done) FAIL(done.error().message);
  // The plan log is free as well.
  CHECK(std::ranges::none_of(
      told, [](const auto& line) { return line.find("plan log") != std::string::npos; }));
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a2")});
}

TEST_CASE("a program makes a checkpoint of its state while it runs, and not before") {
  World world;
  world.produce("left", {"a"});
  const auto copy = world.path("copy");
  const auto run = [&](const std::string& directory) {
    auto pipeline = world.pipeline({"out"});
    std::optional<Result<void>> made;
    counted(pipeline)
        .map([&](const std::string& row) {
          made = pipeline.checkpoint(directory);
          return row;
        })
        .to("out");
    const auto too_early = pipeline.checkpoint(directory);
    REQUIRE_FALSE(too_early);
    CHECK(too_early.error().cause == Cause::program);
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
    REQUIRE(made);
    return *made;
  };
  CHECK(run(world.path("first")));
  world.produce("left", {"a"});
  REQUIRE(run(copy));
  // What the first batch left, while the second one was computed.
  auto store = state::Store::open(copy);
  REQUIRE(store);
  CHECK((*store)->stored().base != state::Version());
  CHECK_FALSE((*store)->stored().prepared);
  world.produce("left", {"a"});
  const auto there = run(copy);
  REQUIRE_FALSE(there);
  CHECK_THAT(there.error().message, Catch::Contains("is not there yet"));
}

TEST_CASE("a program that begins with an empty state keeps a copy of what was there") {
  World world;
  const auto run = [&](bool empty) {
    stream::Setup setup;
    setup.begin_with_empty_state = empty;
    auto pipeline = world.pipeline({"out"}, std::move(setup));
    counted(pipeline).to("out");
    return pipeline.run();
  };
  world.produce("left", {"a"});
  REQUIRE(run(false));
  {
    // As of another process that went on elsewhere.
    auto store = state::Store::open(world.path("streams/state"));
    REQUIRE(store);
    REQUIRE((*store)->call_it({{1}, 1}));
  }
  world.produce("left", {"a"});
  const auto refused = run(false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::state);
  CHECK_THAT(refused.error().message, Catch::Contains(world.path("streams/state")) &&
                                          Catch::Contains("semel state FILE empty --yes"));
  REQUIRE(run(true));
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a1")});
  std::size_t kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator(world.path("streams"))) {
    if (!entry.path().filename().string().starts_with("state.before-")) continue;
    const auto store = state::Store::open(entry.path());
    REQUIRE(store);
    CHECK((*store)->stored().base == state::Version{{1}, 1});
    ++kept;
  }
  CHECK(kept == 1);
}

TEST_CASE("a pipeline does not start while an operator moves positions and state") {
  World world;
  const state::Moving moving{.command = "semel offsets c.toml set --to earliest --state empty",
                             .with = state::With::empty,
                             .from = {},
                             .to = {{1}, 1},
                             .positions = {}};
  REQUIRE(state::write_moving(world.path("streams/state"), moving));
  const auto run = [&] {
    auto pipeline = world.pipeline({"out"});
    counted(pipeline).to("out");
    return pipeline.run();
  };
  const auto refused = run();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::state);
  CHECK_THAT(refused.error().message, Catch::Contains(moving.command));
  REQUIRE(state::end_moving(world.path("streams/state")));
  CHECK(run());
}

}  // namespace semel::test
