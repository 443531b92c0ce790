// The engine with all its threads, between the embedded broker and a sink in memory: fast, and what
// the sanitizers look at.
#include "engine/pipeline.hpp"

#include <algorithm>
#include <set>
#include <thread>

#include "bench/data/embedded_broker.hpp"
#include "memory/memory_sink.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using memory::MemoryStore;

namespace {

constexpr int partitions = 4;

struct Setup {
  std::unique_ptr<kafka::EmbeddedBroker> broker;
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  test::TempDir dir;
  std::int64_t produced = 0;

  Setup() {
    auto started = kafka::EmbeddedBroker::start();
    REQUIRE(started);
    broker = *std::move(started);
    REQUIRE(broker->create_topic("events", partitions));
  }

  void produce(int count) {
    test::KafkaProducer producer(broker->bootstrap_servers());
    for (int i = 0; i < count; ++i, ++produced) {
      producer.produce("events", static_cast<int>(produced % partitions), std::nullopt,
                       "{\"id\":" + std::to_string(produced) + "}");
    }
    producer.flush();
  }

  engine::PipelineOptions options(bool once) const {
    engine::PipelineOptions options;
    options.name = "test";
    options.kafka.brokers = broker->bootstrap_servers();
    options.kafka.topics = {"events"};
    options.kafka.commit_group_offsets = false;
    options.limits.interval_ms = 20;
    options.limits.max_records_per_partition = 50;
    options.state_dir = dir.path().string();
    options.once = once;
    return options;
  }

  engine::SinkFactory factory() const {
    return [store = store](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
      return memory::memory_sink(store, owner);
    };
  }

  std::size_t rows() const {
    const std::lock_guard lock(store->mutex);
    return store->rows.size();
  }

  void expect_each_once() const {
    const std::lock_guard lock(store->mutex);
    std::set<std::string> values;
    for (const auto& row : store->rows) values.insert(row.value);
    CHECK(store->rows.size() == static_cast<std::size_t>(produced));
    CHECK(values.size() == static_cast<std::size_t>(produced));
  }
};

/// A pipeline in a thread of its own.
struct Running {
  engine::Pipeline pipeline;
  Result<engine::Snapshot> outcome;
  std::thread thread;

  explicit Running(const Setup& setup)
      : pipeline(setup.options(false), setup.factory()),
        thread([this] { outcome = pipeline.run(); }) {}
  ~Running() { stop(); }

  const Result<engine::Snapshot>& stop() {
    pipeline.request_stop();
    if (thread.joinable()) thread.join();
    return outcome;
  }
};

}  // namespace

TEST_CASE("a run with once stores every record once and returns what it did") {
  Setup setup;
  setup.produce(1'000);
  engine::Pipeline pipeline(setup.options(true), setup.factory());
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(done->records == 1'000);
  CHECK(done->rows == 1'000);
  CHECK(done->lag == 0);
  CHECK(done->batches >= 5);
  const auto& cost = pipeline.driver_cost();
  CHECK(cost.batch().count() == done->batches);
  CHECK(cost.syncing().percentile(50) > std::chrono::nanoseconds(0));
  CHECK(cost.batch().percentile(50) >= cost.syncing().percentile(50));
  setup.expect_each_once();

  SECTION("and a second one finds nothing to do") {
    engine::Pipeline again(setup.options(true), setup.factory());
    const auto nothing = again.run();
    REQUIRE(nothing);
    CHECK(nothing->records == 0);
    setup.expect_each_once();
  }
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
  engine::Pipeline rest(setup.options(true), setup.factory());
  REQUIRE(rest.run());
  setup.expect_each_once();
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
  first.thread.join();
  REQUIRE_FALSE(first.outcome);
  CHECK(first.outcome.error().cause == Cause::fenced);
  REQUIRE(second.stop());
  setup.expect_each_once();
}

TEST_CASE("a broker that is not there is an error after the start-up time, naming it") {
  Setup setup;
  auto options = setup.options(true);
  options.kafka.brokers = "127.0.0.1:" + std::to_string(test::free_port());
  options.startup_timeout_ms = 200;
  engine::Pipeline pipeline(options, setup.factory());
  const auto outcome = pipeline.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().cause == Cause::source);
  CHECK_THAT(outcome.error().message, Catch::Contains(options.kafka.brokers));
}
