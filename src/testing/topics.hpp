// Kafka's topics, in memory: what was produced, by partition and offset.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <semel/record.hpp>
#include <semel/testing.hpp>
#include <semel/types.hpp>

namespace semel::testing {

class Topics {
 public:
  /// Throws Failed where it has more partitions already.
  void make(const std::string& topic, std::int32_t partitions);
  /// Throws Failed where there is no such partition.
  Offset produce(const std::string& topic, std::int32_t partition, Produced record,
                 std::int64_t now_ms);

  bool has(const std::string& topic) const { return partitions_.contains(topic); }
  /// By topic: how many partitions.
  const std::map<std::string, std::int32_t>& all() const { return partitions_; }
  std::vector<TopicPartition> partitions() const;
  Offset end(const TopicPartition& tp) const;
  /// Views of what is kept here.
  std::vector<Record> read(const OffsetRange& range) const;

 private:
  std::map<std::string, std::int32_t> partitions_;
  std::map<TopicPartition, std::deque<Produced>> logs_;
};

}  // namespace semel::testing
