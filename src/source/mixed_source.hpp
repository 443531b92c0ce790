// Logs of this machine, with Kafka or without it, as one source.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/local_log.hpp"
#include "source/interface.hpp"

namespace semel::source {

/// Without Kafka (`kafka` is nullptr) the cluster is called "this machine". What Kafka does not
/// answer holds up none of the logs. New ones begin at their first record, whatever
/// source.kafka.start says.
std::shared_ptr<Source> mixed_source(std::shared_ptr<Source> kafka,
                                     std::vector<std::string> kafka_topics,
                                     std::vector<std::shared_ptr<LocalLog>> logs);

}  // namespace semel::source
