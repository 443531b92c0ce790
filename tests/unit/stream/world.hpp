// What whole pipelines run in: Kafka's stand-in, and stores of outputs in memory.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/stream.hpp>

#include "bench/data/embedded_broker.hpp"
#include "memory/memory_sink.hpp"
#include "support/kafka_producer.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/trial.hpp"

namespace semel::test {

/// Two topics of two partitions each, and stores of some outputs.
class World {
 public:
  World() {
    broker_->create_topic("left", 2).value();
    broker_->create_topic("right", 2).value();
  }

  void produce(const std::string& topic, const Values& values) {
    KafkaProducer producer(broker_->bootstrap_servers());
    for (const auto& value : values) {
      producer.produce(topic, static_cast<int>(sent_++ % 2), std::nullopt, value);
    }
    producer.flush();
  }

  Config config() const {
    Config config;
    config.set("name", "streams")
        .set("source.kafka.brokers", broker_->bootstrap_servers())
        .set("source.kafka.commit_group_offsets", false)
        .set("batch.interval", "20ms")
        .set("state_dir", dir_.path().string());
    return config;
  }

  std::shared_ptr<memory::MemoryStore> store(const std::string& output) {
    auto& store = stores_[output];
    if (!store) store = std::make_shared<memory::MemoryStore>();
    return store;
  }

  OwnOutput own(const std::string& name) {
    return {
        .name = name,
        .make_sink = [store = store(name)](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
          return memory::memory_sink(store, owner);
        }};
  }

  stream::Pipeline pipeline(const std::vector<std::string>& outputs, stream::Setup setup = {}) {
    for (const auto& output : outputs) setup.outputs.push_back(own(output));
    setup.once = true;
    return stream::Pipeline(config(), std::move(setup));
  }

  /// Values of an output's rows, sorted.
  Values rows(const std::string& output) {
    const auto of = store(output);
    const std::lock_guard lock(of->mutex);
    Values values;
    for (const auto& row : of->rows) values.push_back(row.value);
    std::ranges::sort(values);
    return values;
  }
  /// Plans, and what is remembered on this machine.
  std::filesystem::path state_directory() const { return dir_.path(); }
  std::string path(const std::string& name) const { return dir_ / name; }
  std::string brokers() const { return broker_->bootstrap_servers(); }

 private:
  std::unique_ptr<kafka::EmbeddedBroker> broker_ = kafka::EmbeddedBroker::start().value();
  TempDir dir_;
  std::map<std::string, std::shared_ptr<memory::MemoryStore>> stores_;
  std::size_t sent_ = 0;
};

inline std::string as_object(const std::string& text) {
  return "{\"v\":\"" + text + "\"}";
}

/// How often each text of `left` has come, in all batches.
inline auto counted(stream::Pipeline& pipeline) {
  return pipeline.direct_stream({"left"})
      .map(text)
      .key_by([](const std::string& v) { return v; })
      .map_values([](const std::string&) { return 1; })
      .update_state_by_key<int>("counts",
                                [](const std::string&, std::span<const int> values,
                                   std::optional<int> before) -> std::optional<int> {
                                  return before.value_or(0) + static_cast<int>(values.size());
                                })
      .map([](const std::string& k, int n) { return as_object(k + std::to_string(n)); });
}

}  // namespace semel::test
