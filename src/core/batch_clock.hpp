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

/// So many positions of ~batches has each batch, one for each row of its own: more than a batch can
/// have in memory, and enough for a thousand years of four batches a second.
inline constexpr Offset positions_per_batch = Offset{1} << 28;

/// Of partitions in a map, those whose records are read, in Kafka or beside it: ~batches sorts
/// behind every name that Kafka takes, and behind those of logs beside it, which begin with +.
template <class Partitions>
auto in_kafka(Partitions& partitions) {
  return std::ranges::subrange(partitions.begin(), partitions.lower_bound(batches_partition()));
}

}  // namespace semel::core
