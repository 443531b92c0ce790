#include "engine/snapshot.hpp"

namespace semel::engine {

Snapshot snapshot_of(const metrics::OutputMetrics& metrics) {
  const auto count = [](const prometheus::Counter& counter) {
    return static_cast<std::uint64_t>(counter.Value());
  };
  return {.offsets = count(metrics.offsets),
          .records = count(metrics.records),
          .lost = count(metrics.lost_offsets),
          .uncounted = count(metrics.uncounted_offsets),
          .rows = count(metrics.rows),
          .dead_letters = static_cast<std::uint64_t>(metrics.dead_letters.sum()),
          .unknown_fields = count(metrics.unknown_fields),
          .ignored = count(metrics.ignored),
          .suppressed = count(metrics.suppressed),
          .batches = count(metrics.batches),
          .retries = static_cast<std::uint64_t>(metrics.retries.sum()),
          .lag = static_cast<std::int64_t>(metrics.lag.Value()),
          .caught_up = metrics.caught_up.Value() > 0};
}

}  // namespace semel::engine
