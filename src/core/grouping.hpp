// Which ranges of a batch share a transaction of the sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace semel::core {

/// What is committed as one fact.
enum class CommitUnit : std::uint8_t {
  range,      ///< each range of a batch
  batch,      ///< all ranges of a batch, all of them or none
  automatic,  ///< small ranges of a batch together, others each
};

/// How much of something there is to read; bytes are estimated, 0 where nothing is known yet.
struct Load {
  std::size_t ranges = 0;
  std::int64_t offsets = 0;
  std::int64_t bytes = 0;

  Load& operator+=(const Load& more);
};

/// Little enough for one transaction: beyond that there is nothing left to save by sharing one, and
/// another executor could work on it meanwhile.
bool is_small(const Load& load);

/// Whether an executor has all small ranges, or each partition has its own: what is little is done
/// soonest in one transaction, what is much by many executors. A partition that changes its
/// executor is fetched anew, so it is not changed back for one small batch.
class Gathering {
 public:
  void planned(const Load& batch);
  bool on() const { return on_; }

 private:
  bool on_ = true;
  int small_in_a_row_ = 0;
};

/// Which of `executors` is to have a partition. `apart`: it must not hold up the gathered ones.
std::size_t executor_for(std::size_t place, std::size_t executors, bool gathered, bool apart);

}  // namespace semel::core
