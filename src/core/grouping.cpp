#include "core/grouping.hpp"

#include <algorithm>

namespace semel::core {

namespace {

// A transaction costs about as much as 2,000 records; a few of these, and it does not count.
constexpr std::int64_t offsets_max = 4'096;
constexpr std::int64_t bytes_max = 1 << 20;
// They are fetched one after the other, and all wait for the slowest.
constexpr std::size_t ranges_max = 64;
constexpr int small_batches_before_gathering = 16;

}  // namespace

Load& Load::operator+=(const Load& more) {
  ranges += more.ranges;
  offsets += more.offsets;
  bytes += more.bytes;
  return *this;
}

bool is_small(const Load& load) {
  return load.ranges <= ranges_max && load.offsets <= offsets_max && load.bytes <= bytes_max;
}

void Gathering::planned(const Load& batch) {
  if (!is_small(batch)) {
    on_ = false;
    small_in_a_row_ = 0;
  } else if (!on_ && ++small_in_a_row_ >= small_batches_before_gathering) {
    on_ = true;
  }
}

std::size_t executor_for(std::size_t place, std::size_t executors, bool gathered, bool apart) {
  const auto count = std::max<std::size_t>(executors, 1);
  if (!gathered || count == 1) return place % count;
  return apart ? 1 + place % (count - 1) : 0;
}

}  // namespace semel::core
