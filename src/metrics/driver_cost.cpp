#include "metrics/driver_cost.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace semel::metrics {

// As in floating point: an exponent, and the first bits of what follows the leading one. Below
// 2^step_bits a bucket for each value.
std::size_t DurationCounts::bucket_of(std::uint64_t ns) {
  const auto width = static_cast<unsigned>(std::bit_width(ns));
  if (width <= step_bits) return ns;
  const auto shift = width - step_bits - 1;
  return (std::size_t{shift + 1} << step_bits) + ((ns >> shift) - (std::uint64_t{1} << step_bits));
}

std::uint64_t DurationCounts::last_of(std::size_t bucket) {
  const auto exponent = bucket >> step_bits;
  if (exponent == 0) return bucket;
  const auto lead = (std::uint64_t{1} << step_bits) + (bucket & ((1U << step_bits) - 1));
  return ((lead + 1) << (exponent - 1)) - 1;
}

void DurationCounts::add(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  ++counts_[bucket_of(ns)];
  ++count_;
  sum_ += duration;
}

std::optional<std::chrono::nanoseconds> DurationCounts::percentile(double percent) const {
  if (count_ == 0) return std::nullopt;
  const auto rank = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_))), 1,
      count_);
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(last_of(bucket)));
}

void DriverCost::add(const DriverTurn& turn) {
  if (open_.empty() && turn.planned.empty()) return;
  auto obeying = turn.obeying;
  for (const auto& [time, sync] : turn.planned) {
    obeying -= sync;
    open_[time] = sync;
  }
  deciding_now_ += turn.deciding;
  obeying_now_ += obeying;
  const auto ours =
      std::ranges::count_if(turn.done, [this](BatchTime time) { return open_.contains(time); });
  if (ours == 0) return;
  const std::lock_guard lock(mutex_);
  const auto deciding = std::exchange(deciding_now_, {}) / ours;
  const auto others = std::exchange(obeying_now_, {}) / ours;
  for (const auto time : turn.done) {
    const auto found = open_.find(time);
    if (found == open_.end()) continue;
    batch_.add(deciding + others + found->second);
    deciding_.add(deciding);
    syncing_.add(found->second);
    open_.erase(found);
  }
}

}  // namespace semel::metrics
