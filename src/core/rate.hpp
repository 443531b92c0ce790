// How many records a second a pipeline can take: the PID estimator of Spark Streaming
// (org.apache.spark.streaming.scheduler.rate.PIDRateEstimator), and its first-run rules.
#pragma once

#include <cstdint>
#include <optional>

#include "core/limits.hpp"

namespace semel::core {

/// What was measured since the update before.
struct RateSample {
  std::int64_t now_ms = 0;  ///< when it ended; samples must move forward
  std::int64_t records = 0;
  std::int64_t processing_ms = 0;        ///< time spent on them
  std::int64_t scheduling_delay_ms = 0;  ///< how long they waited, planned, before they were begun
};

class RateEstimator {
 public:
  explicit RateEstimator(const Limits& limits);

  /// The new rate in records per second. None on the first sample (it only sets the base line), on
  /// zero records, on zero processing time, and where time did not move forward. Never under
  /// min_rate.
  std::optional<double> update(const RateSample& sample);

  /// The last rate update() returned.
  std::optional<double> rate() const { return rate_; }

 private:
  double proportional_;
  double integral_;
  double derivative_;
  double min_rate_;
  double interval_ms_;
  bool first_ = true;
  std::int64_t latest_ms_ = -1;
  double latest_rate_ = -1;
  double latest_error_ = -1;
  std::optional<double> rate_;
};

}  // namespace semel::core
