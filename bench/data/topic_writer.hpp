// Makes a topic, fills it and removes it again: for the bench. A pipeline writes nothing to Kafka.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

/// One thread uses it.
class TopicWriter {
 public:
  static Result<std::unique_ptr<TopicWriter>> connect(const Options& options,
                                                      const std::string& name,
                                                      const WriterOptions& writing = {});
  ~TopicWriter();
  TopicWriter(const TopicWriter&) = delete;
  TopicWriter& operator=(const TopicWriter&) = delete;

  /// Fails where the topic exists. With the broker's default replication.
  Result<void> create(const std::string& topic, int partitions);
  /// Makes it where it does not exist. How many partitions have leaders then: all `partitions`, or,
  /// of a topic that was there with another number, those.
  Result<int> ensure(const std::string& topic, int partitions);
  /// Returns when every partition has a leader.
  Result<void> wait_for_leaders(const std::string& topic, int partitions);
  Result<void> remove(const std::string& topic);

  /// lz4, in order. Waits while the queue is full.
  Result<void> produce(const std::string& topic, std::int32_t partition, std::string_view value);
  /// How many records the brokers have not acknowledged yet. Does not wait.
  std::int64_t unacknowledged();
  /// Returns when everything was acknowledged.
  Result<void> flush();

 private:
  struct Impl;
  explicit TopicWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
