#include <semel/snapshot.hpp>

namespace semel {

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

}  // namespace semel
