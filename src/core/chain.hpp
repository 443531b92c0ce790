// The proof that nothing is missing and nothing is there twice: whether the moves of the ledger
// form one unbroken chain per partition (promise P1).
#pragma once

#include <cstdint>
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
  std::uint64_t left_out = 0;   ///< records: ignored, or suppressed by the sink
  std::uint64_t no_record = 0;  ///< offsets of commits that held none, where all records are counted
  std::vector<Move> jumps;          ///< every start, set and lost: no gap, but a decision on record
  std::vector<std::string> broken;  ///< gaps, overlaps, and moves that cannot be
};

/// `moves` in the ledger's order (by partition, then batch time, then epoch), `progress` in (topic,
/// partition) order. A chain per partition that either of them names, in that order.
std::vector<Chain> check_chains(std::span<const Move> moves, std::span<const Progress> progress);

/// What can be compared while a pipeline commits: the trail was read between two reads of the
/// progress.
struct Reading {
  std::vector<Move> moves;
  std::vector<Progress> progress;
};

/// Of partitions that moved between `before` and `after`, the moves up to where `before` stands;
/// those that were entered in between are left out. The others must agree exactly.
Reading settled(std::span<const Move> moves, std::span<const Progress> before,
                std::span<const Progress> after);

bool proven(std::span<const Chain> chains);

}  // namespace semel::core
