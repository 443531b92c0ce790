// How long batches take: Spark Streaming's three durations.
#pragma once

#include <prometheus/histogram.h>
#include <chrono>
#include <map>
#include <optional>

#include <semel/types.hpp>

#include "metrics/page.hpp"

namespace semel::metrics {

/// Bounds of histograms, in seconds.
const prometheus::Histogram::BucketBoundaries& second_buckets();

/// Batches that this process planned. One thread tells of them; any may collect.
class BatchTimes {
 public:
  using Clock = std::chrono::steady_clock;

  void planned(BatchTime batch, Clock::time_point at);
  /// One of its ranges was handed out; the first one counts.
  void started(BatchTime batch, Clock::time_point at);
  void done(BatchTime batch, Clock::time_point at);
  /// Their ranges are planned anew: none of them will be done.
  void forget_all() { open_.clear(); }

  void collect(Page& page, const Labels& labels) const;

 private:
  struct Open {
    Clock::time_point planned;
    std::optional<Clock::time_point> started;
  };
  std::map<BatchTime, Open> open_;
  prometheus::Histogram scheduling_delay_{second_buckets()};
  prometheus::Histogram processing_{second_buckets()};
  prometheus::Histogram total_delay_{second_buckets()};
};

}  // namespace semel::metrics
