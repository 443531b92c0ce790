#include "bench/semel/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace semel::bench {

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

std::optional<double> percentile(std::vector<double> values, double percent) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const auto rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(index, values.size() - 1)];
}

std::vector<Bucket> histogram(const std::vector<double>& values) {
  constexpr double buckets_to_p99 = 20;
  constexpr std::size_t buckets_max = 31;
  const auto p99 = percentile(values, 99);
  if (!p99) return {};
  const auto largest = *std::max_element(values.begin(), values.end());
  const auto width = round_up(*p99 / buckets_to_p99);
  const auto needed = static_cast<std::size_t>(std::min(largest / width, 1e6)) + 1;
  std::vector<Bucket> buckets(std::min(needed, buckets_max));
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i].from = static_cast<double>(i) * width;
    buckets[i].until = static_cast<double>(i + 1) * width;
  }
  buckets.back().until = std::max(buckets.back().until, std::nextafter(largest, HUGE_VAL));
  for (const auto value : values) {
    const auto at = static_cast<std::size_t>(std::clamp(value / width, 0.0, 1e6));
    ++buckets[std::min(at, buckets.size() - 1)].count;
  }
  return buckets;
}

double round_up(double value) {
  if (value <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (value <= factor * power) return factor * power;
  }
  return 10 * power;
}

}  // namespace semel::bench
