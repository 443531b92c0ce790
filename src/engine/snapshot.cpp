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

Snapshot operator+(const Snapshot& a, const Snapshot& b) {
  return {.offsets = a.offsets + b.offsets,
          .records = a.records + b.records,
          .lost = a.lost + b.lost,
          .uncounted = a.uncounted + b.uncounted,
          .rows = a.rows + b.rows,
          .dead_letters = a.dead_letters + b.dead_letters,
          .unknown_fields = a.unknown_fields + b.unknown_fields,
          .ignored = a.ignored + b.ignored,
          .suppressed = a.suppressed + b.suppressed,
          .batches = a.batches + b.batches,
          .retries = a.retries + b.retries,
          .lag = a.lag + b.lag,
          .caught_up = a.caught_up && b.caught_up};
}

}  // namespace semel::engine
