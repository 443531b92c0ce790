// Logs of this machine, with Kafka or without it, as one source.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/interface.hpp"
#include "source/local_log.hpp"

namespace semel::source {

/// Without Kafka (`kafka` is nullptr) the cluster is called "this machine". With it, the start
/// needs Kafka; afterwards logs are answered where Kafka is not, if later: the same thread asks
/// both. New ones begin at their first record, whatever source.kafka.start says.
std::shared_ptr<Source> mixed_source(std::shared_ptr<Source> kafka,
                                     std::vector<std::string> kafka_topics,
                                     std::vector<std::shared_ptr<LocalLog>> logs);

}  // namespace semel::source
