// What others see of an output: its counters and where its partitions stand.
#include <algorithm>

#include <semel/names.hpp>

#include "engine/output.hpp"

namespace semel::engine {

namespace {

/// What the core counts is told as it is: nobody else writes these.
void raise(prometheus::Counter& counter, std::uint64_t to) {
  counter.Increment(static_cast<double>(to) - counter.Value());
}

}  // namespace

void Output::publish() {
  const auto& totals = state_->totals;
  raise(metrics_.offsets, totals.offsets);
  raise(metrics_.lost_offsets, totals.lost);
  raise(metrics_.uncounted_offsets, totals.uncounted);
  raise(metrics_.batches, totals.batches);
  raise(metrics_.given_up_batches, totals.given_up);
  for (const auto& [kind, count] : totals.retries) {
    metrics_.retries.raise(std::string(name_of(kind)), static_cast<double>(count));
  }
  const auto lag = core::lag(*state_);
  metrics_.lag.Set(static_cast<double>(lag));
  metrics_.caught_up.Set(lag == 0 && core::caught_up(*state_) ? 1 : 0);
  const auto phase = state_->phase;
  metrics_.taken_over =
      state_->epoch > 0 && phase != core::Phase::taking_over && phase != core::Phase::draining;
  if (const auto epoch = static_cast<double>(state_->epoch); epoch != metrics_.epoch.Value()) {
    metrics_.epoch.Set(epoch);
    metrics_.takes.Increment();
    metrics_.last_progress_seconds.Set(metrics::unix_now());
  }
  partitions_changed_ = true;
}

void Output::publish_partitions() {
  std::vector<metrics::PartitionFigures> figures;
  figures.reserve(state_->partitions.size());
  for (const auto& [tp, partition] : core::in_kafka(state_->partitions)) {
    if (!partition.subscribed) continue;
    metrics::PartitionFigures its{.tp = tp, .since_ms = partition.stands_since_ms};
    if (partition.last && partition.last->timestamp_ms >= 0) {
      its.written_ms = partition.last->timestamp_ms;
    }
    if (const auto end = partition.stop ? partition.stop : partition.latest) {
      its.lag = std::max<std::int64_t>(*end - partition.committed, 0);
    }
    figures.push_back(std::move(its));
  }
  metrics_.partitions.publish(std::move(figures));
  partitions_changed_ = false;
  partitions_published_ = Clock::now();
}

Snapshot Output::snapshot() const {
  return snapshot_of(metrics_);
}

}  // namespace semel::engine
