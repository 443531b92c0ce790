#include "bench/semel/latency/arrivals.hpp"

#include <algorithm>

namespace semel::bench {

Arrivals::Arrivals(std::int64_t records, int partitions)
    : seen_ns_(static_cast<std::size_t>(records), 0) {
  for (int i = 0; i < partitions; ++i) low_.push_back(i);
}

void Arrivals::see(const std::vector<std::int64_t>& ids, std::int64_t now_ns) {
  const auto records = static_cast<std::int64_t>(seen_ns_.size());
  for (const auto id : ids) {
    if (id < 0 || id >= records) continue;
    auto& first = seen_ns_[static_cast<std::size_t>(id)];
    if (first != 0) continue;
    first = now_ns;
    ++count_;
  }
  const auto partitions = static_cast<std::int64_t>(low_.size());
  for (auto& low : low_) {
    while (low < records && seen_ns_[static_cast<std::size_t>(low)] != 0) low += partitions;
  }
}

bool Arrivals::complete(std::int64_t until) const {
  return std::ranges::all_of(low_, [until](std::int64_t low) { return low >= until; });
}

}  // namespace semel::bench
