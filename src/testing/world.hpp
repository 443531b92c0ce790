// What outlives a process: Kafka, the outputs, the machine's disk, the clock.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/protocol.hpp"
#include "testing/memory_disk.hpp"
#include "testing/moments.hpp"
#include "testing/table.hpp"
#include "testing/topics.hpp"

namespace semel::testing {

struct World {
  Topics topics{};
  std::map<std::string, Table, std::less<>> tables{};  ///< by the names of outputs
  DiskBytes state{};
  std::map<BatchTime, core::Batch> plans{};
  Moments moments{};
  std::int64_t now_ms = 0;
  int processes = 0;  ///< started so far
  /// Where the partitions end for the batch that is run: it has all that is below, and no more.
  std::map<TopicPartition, Offset> ends{};
};

}  // namespace semel::testing
