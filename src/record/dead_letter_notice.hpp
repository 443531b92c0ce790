// When people are told of dead letters: at once, and then not for each. No I/O and no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include <semel/types.hpp>

#include "record/bad_tally.hpp"

namespace semel::record {

/// Thread safe.
class DeadLetterNotice {
 public:
  using Clock = std::chrono::steady_clock;

  /// `count` records of `range` were set aside by a commit, `first` among them. What to say now:
  /// the first time, and afterwards at most every half minute; absent: nothing, it is told next
  /// time.
  /// `find` is how to look at them.
  std::optional<std::string> of(const OffsetRange& range, std::uint64_t count,
                                const BadTally::First& first, const std::string& find,
                                Clock::time_point now);

 private:
  std::mutex mutex_;
  std::optional<Clock::time_point> told_;
  std::uint64_t untold_ = 0;
};

}  // namespace semel::record
