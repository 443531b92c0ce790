#include "core/rate.hpp"

#include <algorithm>

namespace semel::core {

RateEstimator::RateEstimator(const Limits& limits)
    : proportional_(limits.pid_proportional),
      integral_(limits.pid_integral),
      derivative_(limits.pid_derivative),
      min_rate_(limits.min_rate),
      interval_ms_(static_cast<double>(std::max<std::int64_t>(limits.interval_ms, 1))) {}

std::optional<double> RateEstimator::update(const RateSample& sample) {
  if (sample.now_ms <= latest_ms_ || sample.records <= 0 || sample.processing_ms <= 0) {
    return std::nullopt;
  }
  const double since_update_s = static_cast<double>(sample.now_ms - latest_ms_) / 1000.0;
  const double processing_rate =
      static_cast<double>(sample.records) / static_cast<double>(sample.processing_ms) * 1000.0;
  latest_ms_ = sample.now_ms;
  if (first_) {
    first_ = false;
    latest_rate_ = processing_rate;
    latest_error_ = 0;
    return std::nullopt;
  }
  const double error = latest_rate_ - processing_rate;
  // Records that waited are an error of the past: what the rate should have been lower by.
  const double historical_error =
      static_cast<double>(sample.scheduling_delay_ms) * processing_rate / interval_ms_;
  const double error_change = (error - latest_error_) / since_update_s;
  latest_rate_ = std::max(latest_rate_ - proportional_ * error - integral_ * historical_error -
                              derivative_ * error_change,
                          min_rate_);
  latest_error_ = error;
  rate_ = latest_rate_;
  return rate_;
}

}  // namespace semel::core
