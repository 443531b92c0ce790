#include "bench/semel/latency/result.hpp"

#include <algorithm>
#include <cmath>

namespace semel::bench {

namespace {

constexpr double warm_up_seconds = 2;

}  // namespace

std::int64_t LatencyPlan::warm_up_records() const {
  return static_cast<std::int64_t>(std::ceil(rate * std::min(warm_up_seconds, seconds)));
}

std::int64_t LatencyPlan::measured_records() const {
  return std::max<std::int64_t>(static_cast<std::int64_t>(rate * seconds), 1);
}

int LatencyPlan::small_records() const {
  return std::max(setup.partitions, 4);
}

std::optional<Spread> spread_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  auto sorted = values;
  std::ranges::sort(sorted);
  const auto at = [&](double percent) { return percentile(sorted, percent).value_or(0); };
  return Spread{.p50 = at(50), .p90 = at(90), .p99 = at(99), .max = sorted.back()};
}

double SmallBatches::beyond_ms() const {
  return percentile(visible_ms, 50).value_or(0) - percentile(bare_ms, 50).value_or(0);
}

}  // namespace semel::bench
