// Of topics, some partitions only. Pure.
#pragma once

#include <set>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/planner_client.hpp"

namespace semel::source {

/// Of each topic that `wanted` names, the partitions that it names; all of every other topic. Fatal
/// where one of them is not there.
Result<kafka::Discovery> only_partitions(kafka::Discovery found,
                                         const std::set<TopicPartition>& wanted);

}  // namespace semel::source
