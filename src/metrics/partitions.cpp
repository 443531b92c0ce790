#include "metrics/partitions.hpp"

#include <algorithm>

namespace semel::metrics {

std::int64_t PartitionFigures::age_ms(std::int64_t now_ms) const {
  if (lag <= 0) return 0;
  return std::max<std::int64_t>(now_ms - written_ms.value_or(since_ms), 0);
}

void Partitions::publish(std::vector<PartitionFigures> figures) {
  auto next = std::make_shared<const std::vector<PartitionFigures>>(std::move(figures));
  const std::lock_guard lock(mutex_);
  latest_.swap(next);
}

std::shared_ptr<const std::vector<PartitionFigures>> Partitions::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void Partitions::collect(Page& page, const Labels& labels, std::size_t series_max,
                         std::int64_t now_ms) const {
  const auto all = latest();
  std::int64_t worst_ms = 0;
  std::size_t shown = 0;
  for (const auto& each : *all) {
    const auto age_ms = each.age_ms(now_ms);
    worst_ms = std::max(worst_ms, age_ms);
    if (shown == series_max) continue;
    ++shown;
    const auto its =
        with(with(labels, "topic", each.tp.topic), "partition", std::to_string(each.tp.partition));
    page.put("semel_lag_records", its, static_cast<double>(each.lag));
    page.put("semel_freshness_seconds", its, static_cast<double>(age_ms) / 1e3);
  }
  page.put("semel_worst_freshness_seconds", labels, static_cast<double>(worst_ms) / 1e3);
  page.put("semel_partitions_left_out", labels, static_cast<double>(all->size() - shown));
}

}  // namespace semel::metrics
