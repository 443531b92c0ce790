// The partition that is not in Kafka: it counts batches (decision 16).
#pragma once

#include <cstdint>
#include <ranges>
#include <string>

#include <semel/types.hpp>

namespace semel::core {

/// Which batches move ~batches, in the transaction of their other ranges. Only where a batch is one
/// fact (CommitUnit::batch).
enum class BatchClock : std::uint8_t {
  none,           ///< there is no such partition
  with_records,   ///< each that has something to read
  each_interval,  ///< likewise, and one in each interval in which there is nothing to read
};

inline TopicPartition batches_partition() {
  return {std::string(batches_topic), 0};
}

/// Where ~batches stands behind a batch: 2^20 positions for each millisecond. Batch times rise
/// strictly, so each batch has some of its own; they are enough until the year 2248.
constexpr int positions_per_ms_log2 = 20;
constexpr Offset batches_until(BatchTime time) {
  return time.ms << positions_per_ms_log2;
}
/// The other way round, rounded down.
constexpr BatchTime batch_at(Offset position) {
  return {position >> positions_per_ms_log2};
}

/// Of partitions in a map, those that are in Kafka: ~batches sorts behind every name that Kafka
/// takes.
template <class Partitions>
auto in_kafka(Partitions& partitions) {
  return std::ranges::subrange(partitions.begin(), partitions.lower_bound(batches_partition()));
}

}  // namespace semel::core
