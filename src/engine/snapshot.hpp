// What a running pipeline shows: read by the progress bar and the log.
#pragma once

#include <cstdint>

#include "metrics/output.hpp"

namespace semel::engine {

/// The metrics of one moment, as numbers.
struct Snapshot {
  std::uint64_t offsets = 0;    ///< done since the start
  std::uint64_t records = 0;    ///< committed: rows + dead letters + ignored + suppressed
  std::uint64_t lost = 0;       ///< offsets, recorded as lost
  std::uint64_t uncounted = 0;  ///< offsets whose commit's answer was lost, and the counts with it
  std::uint64_t rows = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t unknown_fields = 0;
  std::uint64_t ignored = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t batches = 0;  ///< done
  std::uint64_t retries = 0;
  std::int64_t lag =
      0;  ///< offsets between what is committed and what Kafka has (or the stop offsets)
  bool caught_up = false;
};

Snapshot snapshot_of(const metrics::OutputMetrics& metrics);

/// Of two outputs of one pipeline: what was done in either, caught up where both are.
Snapshot operator+(const Snapshot& a, const Snapshot& b);

}  // namespace semel::engine
