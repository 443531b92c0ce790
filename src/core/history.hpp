// The proof that nothing is missing and nothing is there twice: whether the moves of the ledger
// form one unbroken chain per partition (promise P1).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/types.hpp>

namespace semel::core {

/// One partition's history. Proven when `broken` is empty.
struct History {
  TopicPartition tp;
  Offset from = 0;   ///< where the history that is kept begins (older moves may have been trimmed)
  Offset until = 0;  ///< where it ends
  std::uint64_t commits = 0;
  std::uint64_t rows = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t left_out = 0;  ///< records: ignored, or suppressed by the sink
  std::uint64_t no_record =
      0;                    ///< offsets of commits that held none, where all records are counted
  std::vector<Move> jumps;  ///< every start, set and lost: no gap, but a decision on record
  /// Gaps, overlaps, and moves that cannot be: a thousand at most, and then how many more.
  std::vector<std::string> broken;
};

/// Takes the moves of a history one after the other: partitions in any order, the moves of each in
/// the ledger's (by batch time, then epoch). What it keeps grows with partitions and with what is
/// worth telling, not with moves. Not thread safe.
class HistoryCheck {
 public:
  HistoryCheck();
  ~HistoryCheck();

  void add(const Move& move);
  /// Once, after the last move. `progress` is of the moment of the history. A history per partition
  /// that either of them names, in (topic, partition) order.
  std::vector<History> finish(std::span<const Progress> progress);

 private:
  class PartitionCheck;
  std::map<TopicPartition, std::unique_ptr<PartitionCheck>> partitions_;
};

bool proven(std::span<const History> histories);

}  // namespace semel::core
