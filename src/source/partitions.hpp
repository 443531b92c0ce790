// Of a source, some partitions only.
#pragma once

#include <memory>
#include <set>

#include "source/interface.hpp"

namespace semel::source {

/// Of each topic that `wanted` names, the partitions that it names; all of every other topic. Fatal
/// where one of them is not there.
std::shared_ptr<Source> only_partitions(std::shared_ptr<Source> source,
                                        std::set<TopicPartition> wanted);

}  // namespace semel::source
