#include "metrics/batch_times.hpp"

namespace semel::metrics {

namespace {

double seconds(BatchTimes::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

const prometheus::Histogram::BucketBoundaries& second_buckets() {
  static const prometheus::Histogram::BucketBoundaries bounds{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
      0.5,    1,     2.5,    5,     10,   30,    60,   300, 1800};
  return bounds;
}

void BatchTimes::planned(BatchTime batch, Clock::time_point at) {
  const std::lock_guard lock(mutex_);
  open_[batch] = {at, std::nullopt};
}

void BatchTimes::forget_all() {
  const std::lock_guard lock(mutex_);
  open_.clear();
}

void BatchTimes::started(BatchTime batch, Clock::time_point at) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(batch);
  if (found == open_.end() || found->second.started) return;
  found->second.started = at;
  scheduling_delay_.Observe(seconds(at - found->second.planned));
}

void BatchTimes::done(BatchTime batch, Clock::time_point at) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(batch);
  if (found == open_.end()) return;
  const auto& [planned, started] = found->second;
  if (started) processing_.Observe(seconds(at - *started));
  total_delay_.Observe(seconds(at - planned));
  open_.erase(found);
}

void BatchTimes::collect(Page& page, const Labels& labels) const {
  page.put("semel_scheduling_delay_seconds", labels, scheduling_delay_.Collect());
  page.put("semel_processing_seconds", labels, processing_.Collect());
  page.put("semel_total_delay_seconds", labels, total_delay_.Collect());
}

}  // namespace semel::metrics
