#include "core/planner.hpp"

#include <algorithm>
#include <limits>

namespace semel::core {

namespace {

constexpr auto unlimited = std::numeric_limits<std::int64_t>::max();

std::int64_t to_count(double records) {
  // Beyond 2^62 every budget is as good as none, and the conversion stays defined.
  return records >= 4.6e18 ? unlimited
                           : std::max<std::int64_t>(1, static_cast<std::int64_t>(records));
}

std::int64_t batch_budget(const Limits& limits, const Budget& budget) {
  auto records = limits.max_records > 0 ? limits.max_records : unlimited;
  if (budget.rate) {
    records = std::min(records,
                       to_count(*budget.rate * static_cast<double>(limits.interval_ms) / 1000.0));
  }
  if (limits.max_bytes > 0 && budget.mean_record_bytes > 0) {
    records = std::min(records,
                       to_count(static_cast<double>(limits.max_bytes) / budget.mean_record_bytes));
  }
  return records;
}

}  // namespace

std::vector<OffsetRange> plan_ranges(std::span<const Plannable> partitions, const Limits& limits,
                                     const Budget& budget) {
  const auto records = batch_budget(limits, budget);
  const auto cap =
      limits.max_records_per_partition > 0 ? limits.max_records_per_partition : unlimited;
  const auto floor = std::clamp<std::int64_t>(limits.min_records_per_partition, 1, cap);

  double wanted = 0;
  for (const auto& p : partitions) {
    wanted += static_cast<double>(std::max<Offset>(p.end - p.position, 0));
  }

  const bool enough = wanted <= static_cast<double>(records);
  std::vector<OffsetRange> ranges;
  for (const auto& p : partitions) {
    const auto lag = p.end - p.position;
    if (lag <= 0) continue;
    auto share = std::min(lag, cap);
    if (!enough) {
      const auto proportional =
          to_count(static_cast<double>(records) * (static_cast<double>(lag) / wanted));
      share = std::min(share, std::max(proportional, floor));
    }
    ranges.push_back({p.tp, p.position, p.position + share});
  }
  return ranges;
}

std::int64_t interval_begin(std::int64_t now_ms, std::int64_t interval_ms) {
  return interval_ms > 0 ? now_ms - now_ms % interval_ms : now_ms;
}

BatchTime next_batch_time(std::int64_t now_ms, std::int64_t interval_ms, BatchTime last) {
  const auto aligned = interval_begin(now_ms, interval_ms);
  if (aligned > last.ms) return {aligned};
  return {std::max(now_ms, last.ms + 1)};
}

}  // namespace semel::core
