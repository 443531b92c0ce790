// What the driver itself spends on a batch: deciding, syncing the plan, handing out and ending.
// Not waiting. Cheap enough to be always on.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <semel/types.hpp>

namespace semel::metrics {

/// How often durations came up, in buckets that are at most 1/16 of a duration wide: what it tells
/// is at most that much too large. Fixed memory, no allocation.
class DurationCounts {
 public:
  void add(std::chrono::nanoseconds duration);
  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds sum() const { return sum_; }
  /// Nearest rank: at least `percent` of all durations are not longer, but for the bucket's width.
  /// Nothing of nothing.
  std::optional<std::chrono::nanoseconds> percentile(double percent) const;

 private:
  static constexpr unsigned step_bits = 4;
  static constexpr std::size_t buckets = std::size_t{64 - step_bits + 1} << step_bits;
  static std::size_t bucket_of(std::uint64_t ns);
  static std::uint64_t last_of(std::size_t bucket);

  std::array<std::uint32_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds sum_{0};
};

/// What one turn of the driver's loop took, from the event to the last action obeyed.
struct DriverTurn {
  std::chrono::nanoseconds deciding{0};  ///< core::step
  std::chrono::nanoseconds obeying{0};   ///< all actions, making plans durable among them
  /// What was planned, and how long it took to make it durable.
  std::vector<std::pair<BatchTime, std::chrono::nanoseconds>> planned;
  std::vector<BatchTime> done;
};

/// A batch costs making its plan durable, and its part of the turns since the batch that was
/// done before it. Turns while none is open (a question to Kafka that brings nothing) are no
/// batch's cost. Counted are batches that this process planned. One thread adds; any may read.
class DriverCost {
 public:
  void add(const DriverTurn& turn);

  DurationCounts batch() const { return copy(batch_); }        ///< all of it
  DurationCounts deciding() const { return copy(deciding_); }  ///< of that: core::step
  DurationCounts syncing() const { return copy(syncing_); }    ///< of that: the plan log's sync

 private:
  DurationCounts copy(const DurationCounts& counts) const {
    const std::lock_guard lock(mutex_);
    return counts;
  }

  mutable std::mutex mutex_;
  DurationCounts batch_;
  DurationCounts deciding_;
  DurationCounts syncing_;
  std::map<BatchTime, std::chrono::nanoseconds> open_;  ///< its sync
  // Since the last batch that was done:
  std::chrono::nanoseconds deciding_now_{0};
  std::chrono::nanoseconds obeying_now_{0};  ///< without syncs
};

}  // namespace semel::metrics
