#include "bench/latency/arrivals.hpp"

namespace semel::bench {

void Arrivals::see(const std::vector<std::int64_t>& ids, std::int64_t now_ns) {
  const auto records = static_cast<std::int64_t>(seen_ns_.size());
  for (const auto id : ids) {
    if (id < 0 || id >= records) continue;
    auto& first = seen_ns_[static_cast<std::size_t>(id)];
    if (first != 0) continue;
    first = now_ns;
    ++count_;
  }
  while (low_ < records && seen_ns_[static_cast<std::size_t>(low_)] != 0) ++low_;
}

}  // namespace semel::bench
