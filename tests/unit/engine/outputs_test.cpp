// A pipeline with several outputs: each a driver of its own, side by side.
#include <filesystem>

#include "engine/output.hpp"
#include "pipeline_setup.hpp"
#include "support/process.hpp"

using namespace semel;
using memory::MemoryStore;
using test::into;
using test::rows_of;
using test::Running;
using test::Setup;

namespace {

/// A pipeline with two outputs, into two stores.
struct TwoOutputs : Setup {
  std::shared_ptr<MemoryStore> other = std::make_shared<MemoryStore>();

  test::Destinations destinations() const { return {into(store), into(other, "second")}; }
  void expect_each_once_in_both() const {
    expect_each_once_in(*store);
    expect_each_once_in(*other);
  }
};

OwnerState state_of(const std::shared_ptr<MemoryStore>& store, const std::string& output) {
  const auto owner = memory::memory_ledger(store, "test", output)->owner();
  REQUIRE(owner);
  REQUIRE(*owner);
  return (*owner)->state;
}

}  // namespace

TEST_CASE("every output of a pipeline has every record once") {
  TwoOutputs setup;
  setup.produce(1'000);
  engine::Pipeline pipeline(setup.options(true), setup.destinations());
  const auto done = pipeline.run();
  REQUIRE(done);
  setup.expect_each_once_in_both();

  SECTION("and what was done is told of both together, and of each") {
    CHECK(done->rows == 2'000);
    CHECK(done->lag == 0);
    const auto each = pipeline.snapshots();
    REQUIRE(each.size() == 2);
    CHECK(each[0].rows == 1'000);
    CHECK(each[1].rows == 1'000);
  }
  SECTION("and each has a plan log of its own, the first one where a single output has it") {
    const auto folder = setup.dir.path() / "test";
    CHECK(std::filesystem::exists(folder / "plans" / "CURRENT"));
    CHECK(std::filesystem::exists(folder / "outputs" / "second" / "plans" / "CURRENT"));
  }
}

TEST_CASE("an output that is added later begins at the start, the others go on") {
  TwoOutputs setup;
  setup.produce(500);
  {
    engine::Pipeline alone(setup.options(true), setup.destination());
    REQUIRE(alone.run());
  }
  setup.produce(100);
  engine::Pipeline both(setup.options(true), setup.destinations());
  REQUIRE(both.run());
  CHECK(both.snapshots()[0].rows == 100);
  CHECK(both.snapshots()[1].rows == 600);
  setup.expect_each_once_in_both();
}

TEST_CASE("a pipeline with two outputs stops both in good order when asked to") {
  TwoOutputs setup;
  setup.produce(5'000);
  {
    Running running(setup, setup.destinations());
    REQUIRE(test::eventually([&] { return setup.rows() > 0 && rows_of(*setup.other) > 0; }));
    REQUIRE(running.stop());
    running.pipeline.close();
    CHECK(state_of(setup.store, "default") == OwnerState::stopped);
    CHECK(state_of(setup.other, "second") == OwnerState::stopped);
  }
  engine::Pipeline rest(setup.options(true), setup.destinations());
  REQUIRE(rest.run());
  setup.expect_each_once_in_both();
}

TEST_CASE("where one output is taken over, the other ends in good order and is gone on with") {
  TwoOutputs setup;
  setup.produce(100);
  Running first(setup, setup.destinations());
  REQUIRE(test::eventually([&] { return setup.rows() == 100 && rows_of(*setup.other) == 100; }));
  {
    Running second(setup, {into(setup.other, "second")});
    REQUIRE(test::eventually([&] { return second.pipeline.snapshot().caught_up; }));
    setup.produce(100);
    const auto& outcome = first.ended();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().cause == Cause::fenced);
    CHECK_THAT(outcome.error().message, Catch::StartsWith("output second: "));
    first.pipeline.close();
    CHECK(state_of(setup.store, "default") == OwnerState::stopped);
    REQUIRE(second.stop());
  }
  engine::Pipeline rest(setup.options(true), setup.destinations());
  REQUIRE(rest.run());
  setup.expect_each_once_in_both();
}

TEST_CASE("where one output cannot start, the pipeline ends with its error") {
  TwoOutputs setup;
  setup.produce(100);
  auto destinations = setup.destinations();
  destinations[1].make_sink = [](const Owner&) {
    return Result<std::unique_ptr<Sink>>(
        fail(ErrorKind::fatal, Cause::sink, "there is no such table"));
  };
  engine::Pipeline pipeline(setup.options(false), destinations);
  const auto outcome = pipeline.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "output second: there is no such table");

  // What the other one has begun by then, it has finished.
  pipeline.close();
  engine::Pipeline rest(setup.options(true), setup.destinations());
  REQUIRE(rest.run());
  setup.expect_each_once_in_both();
}

TEST_CASE("one output alone is not named in its errors") {
  Setup setup;
  auto destinations = setup.destination();
  destinations[0].make_sink = [](const Owner&) {
    return Result<std::unique_ptr<Sink>>(
        fail(ErrorKind::fatal, Cause::sink, "there is no such table"));
  };
  engine::Pipeline pipeline(setup.options(true), destinations);
  const auto outcome = pipeline.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "there is no such table");
}

TEST_CASE("Kafka's tools see the first output under the pipeline's group, others behind a dot") {
  engine::PipelineOptions options;
  options.name = "clicks";
  CHECK(engine::group_of(options, "default") == "clicks");
  CHECK(engine::group_of(options, "sqlite") == "clicks.sqlite");
  options.kafka.group_id = "shown";
  CHECK(engine::group_of(options, "default") == "shown");
  CHECK(engine::group_of(options, "sqlite") == "shown.sqlite");
}

TEST_CASE("executors of all outputs share the process's memory") {
  engine::PipelineOptions options;
  options.memory_limit_bytes = 512ll << 20;
  options.executors = 4;
  CHECK(engine::memory_per_executor(options, 1) == ((512ll - 48) << 20) / 4);
  CHECK(engine::memory_per_executor(options, 2) == ((512ll - 48 - 16) << 20) / 8);
}
