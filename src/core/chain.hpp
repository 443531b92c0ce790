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

/// One partition's chain. Proven when `broken` is empty.
struct Chain {
  TopicPartition source;
  Offset from = 0;   ///< where the trail that is kept begins (older moves may have been trimmed)
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

/// Takes the moves of a trail one after the other: partitions in any order, the moves of each in
/// the ledger's (by batch time, then epoch). What it keeps grows with partitions and with what is
/// worth telling, not with moves. Not thread safe.
class ChainCheck {
 public:
  ChainCheck();
  ~ChainCheck();

  void add(const Move& move);
  /// Once, after the last move. `progress` is of the moment of the trail. A chain per partition
  /// that either of them names, in (topic, partition) order.
  std::vector<Chain> finish(std::span<const Progress> progress);

 private:
  class Links;
  std::map<TopicPartition, std::unique_ptr<Links>> links_;
};

bool proven(std::span<const Chain> chains);

}  // namespace semel::core
