// What a running pipeline has done, as numbers.
#pragma once

#include <cstdint>

#include <semel/api.hpp>

namespace semel {

/// Counted since the start of the process's run, but for what is said to be of the moment.
/// `records` is rows + dead_letters + ignored + suppressed.
struct Snapshot {
  std::uint64_t offsets = 0;    ///< done
  std::uint64_t records = 0;    ///< committed
  std::uint64_t lost = 0;       ///< offsets, recorded as lost
  std::uint64_t uncounted = 0;  ///< offsets whose commit's answer was lost, and the counts with it
  std::uint64_t rows = 0;       ///< stored
  std::uint64_t dead_letters = 0;    ///< set aside
  std::uint64_t unknown_fields = 0;  ///< members without a column
  std::uint64_t ignored = 0;         ///< left out by policy (tombstones)
  std::uint64_t suppressed = 0;      ///< not stored by the sink's own will (a trigger)
  std::uint64_t batches = 0;         ///< done
  std::uint64_t retries = 0;         ///< of ranges that failed
  /// Of the moment: offsets between what is committed and what Kafka has (or the stop offsets).
  std::int64_t lag = 0;
  bool caught_up = false;  ///< of the moment
};

/// Of two outputs of one pipeline: what was done in either, caught up where both are.
SEMEL_API Snapshot operator+(const Snapshot& a, const Snapshot& b);

}  // namespace semel
