// The engine with all its threads, between the embedded broker and sinks in memory.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/data/embedded_broker.hpp"
#include "engine/pipeline.hpp"
#include "memory/memory_sink.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

constexpr int partitions = 4;

using Destinations = std::vector<engine::Destination>;

/// Writes into `store`.
inline engine::Destination into(std::shared_ptr<memory::MemoryStore> store,
                                const std::string& output = engine::default_output) {
  return {.output = output, .make_sink = [store = std::move(store)](const Owner& owner) {
            return Result<std::unique_ptr<Sink>>(memory::memory_sink(store, owner));
          }};
}

inline std::size_t rows_of(memory::MemoryStore& store) {
  const std::lock_guard lock(store.mutex);
  return store.rows.size();
}

struct Setup {
  std::unique_ptr<kafka::EmbeddedBroker> broker;
  std::shared_ptr<memory::MemoryStore> store = std::make_shared<memory::MemoryStore>();
  TempDir dir;
  std::int64_t produced = 0;

  Setup() {
    auto started = kafka::EmbeddedBroker::start();
    REQUIRE(started);
    broker = *std::move(started);
    REQUIRE(broker->create_topic("events", partitions));
  }

  void produce(int count) {
    KafkaProducer producer(broker->bootstrap_servers());
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

  Destinations destination() const { return {into(store)}; }
  std::size_t rows() const { return rows_of(*store); }

  void expect_each_once() const { expect_each_once_in(*store); }
  void expect_each_once_in(memory::MemoryStore& in) const {
    const std::lock_guard lock(in.mutex);
    std::set<std::string> values;
    for (const auto& row : in.rows) values.insert(row.value);
    CHECK(in.rows.size() == static_cast<std::size_t>(produced));
    CHECK(values.size() == static_cast<std::size_t>(produced));
  }
};

/// A pipeline in a thread of its own.
struct Running {
  engine::Pipeline pipeline;
  Result<engine::Snapshot> outcome;
  std::thread thread;

  explicit Running(const Setup& setup) : Running(setup, setup.destination()) {}
  Running(const Setup& setup, Destinations destinations)
      : pipeline(setup.options(false), std::move(destinations)),
        thread([this] { outcome = pipeline.run(); }) {}
  ~Running() { stop(); }

  const Result<engine::Snapshot>& stop() {
    pipeline.request_stop();
    return ended();
  }
  /// Waits until it ends by itself.
  const Result<engine::Snapshot>& ended() {
    if (thread.joinable()) thread.join();
    return outcome;
  }
};

}  // namespace semel::test
