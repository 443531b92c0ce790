// How long batches take: Spark Streaming's three durations.
#pragma once

#include <prometheus/histogram.h>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include <semel/types.hpp>

#include "metrics/page.hpp"

namespace semel::metrics {

/// Bounds of histograms, in seconds.
const prometheus::Histogram::BucketBoundaries& second_buckets();

/// Batches that this process planned. Thread safe.
class BatchTimes {
 public:
  using Clock = std::chrono::steady_clock;

  void planned(BatchTime batch, Clock::time_point at);
  /// One of its ranges is begun; the first one counts.
  void started(BatchTime batch, Clock::time_point at);
  void done(BatchTime batch, Clock::time_point at);
  /// Their ranges are planned anew: none of them will be done.
  void forget_all();

  void collect(Page& page, const Labels& labels) const;

 private:
  struct Open {
    Clock::time_point planned;
    std::optional<Clock::time_point> started;
  };
  std::mutex mutex_;
  std::map<BatchTime, Open> open_;  ///< guarded by mutex_
  prometheus::Histogram scheduling_delay_{second_buckets()};
  prometheus::Histogram processing_{second_buckets()};
  prometheus::Histogram total_delay_{second_buckets()};
};

}  // namespace semel::metrics
