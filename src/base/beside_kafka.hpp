// Which topics are none of Kafka's.
#pragma once

#include <semel/types.hpp>

namespace semel {

/// A log of this machine, and no topic of Kafka's.
inline bool is_beside_kafka(const TopicPartition& tp) {
  return tp.topic.starts_with('+');
}

}  // namespace semel
