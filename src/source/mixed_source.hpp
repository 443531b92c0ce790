// Logs of this machine, with Kafka or without it, as one source.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "source/interface.hpp"
#include "source/local_log.hpp"

namespace semel::source {

/// What is wanted of Kafka.
struct OfKafka {
  std::vector<std::string> topics{};      ///< where they have names
  std::set<TopicPartition> partitions{};  ///< of their topics, these only (see only_partitions())
};

/// Without Kafka (`kafka` is nullptr) the cluster is called "this machine". With it, the start
/// needs Kafka; afterwards logs are answered where Kafka is not, if later: the same thread asks
/// both. New ones begin at their first record, whatever source.kafka.start says.
std::shared_ptr<Source> mixed_source(std::shared_ptr<Source> kafka, OfKafka wanted,
                                     std::vector<std::shared_ptr<LocalLog>> logs);

}  // namespace semel::source
