// From what Kafka has to the next batch.
#include <utility>
#include <vector>

#include "core/stepper.hpp"

namespace semel::core {

std::size_t Stepper::depth() const {
  // One range runs while the next is already durable. A measured rate wants what it planned to be
  // over before it plans again.
  const auto& limits = s_.options.limits;
  const bool first_is_bounded = limits.initial_rate > 0 && s_.totals.batches == 0;
  return limits.backpressure || first_is_bounded ? 1 : 2;
}

void Stepper::plan() {
  if (s_.options.once && !s_.stops_known) return;
  const auto& limits = s_.options.limits;
  while (s_.phase == Phase::running) {
    std::vector<Plannable> free;
    for (const auto& [tp, partition] : s_.partitions) {
      if (!partition.subscribed || !partition.latest || partition.queue.size() >= depth()) continue;
      if (rests(partition)) continue;
      const auto end =
          partition.stop ? std::min(*partition.stop, *partition.latest) : *partition.latest;
      if (end > partition.position) free.push_back({tp, partition.position, end});
    }
    if (free.empty()) return;

    Budget budget{.rate = std::nullopt, .mean_record_bytes = s_.mean_record_bytes};
    if (limits.backpressure) budget.rate = s_.rate.rate();
    if (!budget.rate && limits.initial_rate > 0 && s_.totals.batches == 0) {
      budget.rate = static_cast<double>(limits.initial_rate);
    }
    Batch batch{next_batch_time(now_, limits.interval_ms, s_.last_time), {}};
    for (auto& range : plan_ranges(free, limits, budget)) {
      batch.ranges.push_back({.range = std::move(range), .kind = TaskKind::load, .reason = {}});
    }
    add_batch(std::move(batch));
    start_ready();
  }
}

void Stepper::add_batch(Batch batch) {
  s_.last_time = batch.time;
  s_.batches[batch.time] = {.open = batch.ranges.size(), .planned_ms = now_};
  Load load;
  for (const auto& planned : batch.ranges) {
    load += load_of(planned);
    auto& partition = s_.partitions.at(planned.range.tp);
    partition.position = planned.range.until;
    partition.queue.push_back({.time = batch.time, .planned = planned});
  }
  s_.gathering.planned(load);
  actions_.push_back(PersistPlan{std::move(batch)});
}

}  // namespace semel::core
