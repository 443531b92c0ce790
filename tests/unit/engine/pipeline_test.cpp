// The engine with all its threads: fast, and what the sanitizers look at.
#include "engine/pipeline.hpp"

#include <algorithm>

#include "pipeline_setup.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace std::chrono_literals;
using test::Running;
using test::Setup;

TEST_CASE("a run with once stores every record once and returns what it did") {
  Setup setup;
  setup.produce(1'000);
  engine::Pipeline pipeline(setup.options(true), setup.destination());
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(done->records == 1'000);
  CHECK(done->rows == 1'000);
  CHECK(done->lag == 0);
  CHECK(done->batches >= 5);
  const auto& cost = pipeline.metrics().output(engine::default_output).driver_cost;
  CHECK(cost.batch().count() == done->batches);
  CHECK(cost.syncing().percentile(50) > std::chrono::nanoseconds(0));
  CHECK(cost.batch().percentile(50) >= cost.syncing().percentile(50));
  setup.expect_each_once();

  SECTION("and a second one finds nothing to do") {
    engine::Pipeline again(setup.options(true), setup.destination());
    const auto nothing = again.run();
    REQUIRE(nothing);
    CHECK(nothing->records == 0);
    setup.expect_each_once();
  }
}

TEST_CASE("the metrics of a run are those of its rows, its batches and its partitions") {
  Setup setup;
  setup.produce(1'000);
  engine::Pipeline pipeline(setup.options(true), setup.destination());
  const auto done = pipeline.run();
  REQUIRE(done);
  const auto& its = pipeline.metrics().output(engine::default_output);
  CHECK(its.rows.Value() == static_cast<double>(setup.rows()));
  CHECK(its.records.Value() == 1'000);
  CHECK(its.read_records.Value() >= 1'000);
  CHECK(its.bytes.Value() > 1'000);
  CHECK(its.offsets.Value() == 1'000);
  CHECK(its.takes.Value() == 1);
  CHECK(its.fenced.Value() == 0);
  CHECK(its.epoch.Value() == 1);
  CHECK(its.lag.Value() == 0);
  CHECK(its.caught_up.Value() == 1);
  CHECK(its.sink.up());
  CHECK(its.source.up());
  CHECK(its.ended);
  const auto held = its.partitions.latest();
  REQUIRE(held->size() == test::partitions);
  for (const auto& partition : *held) {
    CHECK(partition.lag == 0);
    CHECK(partition.written_ms.has_value());
  }
  metrics::Page page;
  its.collect(page, {}, 10);
  const auto text = page.text();
  const auto batches = std::to_string(done->batches);
  for (const auto* name : {"scheduling_delay", "processing", "total_delay"}) {
    CAPTURE(name);
    CHECK(text.find("semel_" + std::string(name) + "_seconds_count " + batches + "\n") !=
          std::string::npos);
  }
  // A range is a commit.
  CHECK(its.commit_seconds.Collect().histogram.sample_count == 1'000 / 50);
}

TEST_CASE("a running pipeline takes what arrives, and stops in good order when asked to") {
  Setup setup;
  Running running(setup);
  for (int i = 1; i <= 5; ++i) {
    setup.produce(200);
    REQUIRE(test::eventually([&] { return setup.rows() == static_cast<std::size_t>(200 * i); }));
  }
  CHECK(running.pipeline.snapshot().rows <= 1'000);
  const auto& outcome = running.stop();
  REQUIRE(outcome);
  CHECK(outcome->rows == 1'000);
  setup.expect_each_once();
}

TEST_CASE("a pipeline that is stopped in the middle is gone on with by the next") {
  Setup setup;
  setup.produce(5'000);
  {
    Running running(setup);
    REQUIRE(test::eventually([&] { return setup.rows() > 0; }));
    REQUIRE(running.stop());
  }
  engine::Pipeline rest(setup.options(true), setup.destination());
  REQUIRE(rest.run());
  setup.expect_each_once();
}

TEST_CASE("an executor whose sink does not come back is late in the end, and no one else's fault") {
  Setup setup;
  Running running(setup);
  setup.produce(100);
  REQUIRE(test::eventually([&] { return setup.rows() == 100; }));
  const auto& its = running.pipeline.metrics().output(engine::default_output);
  const auto late_by = [&](std::chrono::minutes later) {
    const auto late = its.beats.late(metrics::Beat::Clock::now() + later);
    return std::ranges::count_if(late, [](const auto& who) { return who.starts_with("executor"); });
  };
  // Whoever waits for work may do so for ever.
  REQUIRE(test::eventually([&] { return late_by(1h) == 0; }));
  {
    const std::lock_guard hangs(setup.store->mutex);
    setup.produce(1);
    CHECK(test::eventually([&] { return late_by(1h) == 1; }));
    CHECK(late_by(1min) == 0);
    CHECK(its.beats.late(metrics::Beat::Clock::now()).empty());
  }
  CHECK(test::eventually([&] { return setup.rows() == 101 && late_by(1h) == 0; }));
  CHECK(its.taken_over);
  CHECK_FALSE(its.stopping);
  REQUIRE(running.stop());
  CHECK(its.stopping);
  CHECK(its.ended);
}

TEST_CASE("who asks a sink that may wait for long is not late before that") {
  Setup setup;
  setup.store->patience_ms = std::chrono::milliseconds(2h).count();
  Running running(setup);
  setup.produce(1);
  REQUIRE(test::eventually([&] { return setup.rows() == 1; }));
  const auto& its = running.pipeline.metrics().output(engine::default_output);
  const auto keepers_late = [&](std::chrono::minutes later) {
    const auto late = its.beats.late(metrics::Beat::Clock::now() + later);
    return std::ranges::count_if(late,
                                 [](const auto& who) { return who.starts_with("ledger keeper"); });
  };
  const std::lock_guard hangs(setup.store->mutex);
  CHECK(keepers_late(2h) == 0);
  CHECK(keepers_late(3h) == 1);
}

TEST_CASE("a pipeline that is taken over stops as fenced") {
  Setup setup;
  setup.produce(100);
  Running first(setup);
  REQUIRE(test::eventually([&] { return setup.rows() == 100; }));
  Running second(setup);
  REQUIRE(test::eventually([&] { return second.pipeline.snapshot().caught_up; }));
  setup.produce(100);
  REQUIRE(test::eventually([&] { return setup.rows() == 200; }));
  const auto& outcome = first.ended();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().cause == Cause::fenced);
  CHECK(first.pipeline.metrics().output(engine::default_output).fenced.Value() == 1);
  REQUIRE(second.stop());
  setup.expect_each_once();
}

TEST_CASE("a broker that is not there is an error after the start-up time, naming it") {
  Setup setup;
  auto options = setup.options(true);
  options.kafka.brokers = "127.0.0.1:" + std::to_string(test::free_port());
  options.startup_timeout_ms = 200;
  engine::Pipeline pipeline(options, setup.destination());
  const auto outcome = pipeline.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().cause == Cause::source);
  const auto& its = pipeline.metrics().output(engine::default_output);
  CHECK_FALSE(its.source.up());
  CHECK_FALSE(its.source.why().empty());
  CHECK(its.epoch.Value() == 0);
  CHECK_THAT(outcome.error().message, Catch::Contains(options.kafka.brokers));
}
