// What a cluster answered of a question about several partitions.
#pragma once

#include <map>

#include <semel/error.hpp>
#include <semel/types.hpp>

namespace semel::kafka {

/// Partitions without a record at or after the moment are in neither.
struct PartialOffsets {
  std::map<TopicPartition, Offset> offsets;
  std::map<TopicPartition, Error> unanswered;
};

}  // namespace semel::kafka
