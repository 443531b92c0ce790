// From what Kafka has to the next batch; and what was planned before.
#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include <vector>

#include "core/stepper.hpp"

namespace semel::core {

void Stepper::recover(const TookOver& event) {
  const auto& taken = event.taken;
  if (taken.pending) return do_first(*taken.pending, event.recovered);
  // Where a batch is one fact, none has the time of another. The ledger may have a transaction of
  // this time that an owner planned who used another log, or that had a part of this batch.
  const auto above = s_.options.commit == CommitUnit::batch
                         ? std::optional(taken.highest_batch_time)
                         : std::nullopt;
  const auto reconciled =
      reconcile(event.recovered, taken.progress, above, s_.options.clock, s_.options.skip_batch);
  for (const auto time : reconciled.forget) actions_.push_back(ForgetBatch{time});
  for (const auto& batch : reconciled.batches) queue_up(batch, false);
}

void Stepper::do_first(const PendingBatch& pending, std::span<const Batch> recovered) {
  Batch batch{pending.time, {}};
  for (const auto& range : pending.ranges) {
    batch.ranges.push_back({.range = range, .kind = TaskKind::load, .reason = {}});
  }
  std::ranges::sort(batch.ranges, {}, [](const auto& planned) { return planned.range.tp; });
  if (!goes_on_from_ledger(batch)) {
    return finish(Error{
        ErrorKind::fatal, Cause::internal,
        fmt::format("batch {} is in one of the outputs, and not in all, and the ledgers of the "
                    "others do not stand where it begins: this is a bug in semel or a hand in a "
                    "ledger",
                    batch.time.ms)});
  }
  const bool known = std::ranges::find(recovered, batch) != recovered.end();
  for (const auto& other : recovered) {
    if (other != batch) actions_.push_back(ForgetBatch{other.time});
  }
  s_.last_time = std::max(s_.last_time, batch.time);
  queue_up(batch, true);
  if (!known) actions_.push_back(PersistPlan{std::move(batch)});
}

/// `batch`: its ranges by partition.
bool Stepper::goes_on_from_ledger(const Batch& batch) const {
  const auto same_partition = [](const auto& a, const auto& b) { return a.range.tp == b.range.tp; };
  const bool moves_clock = !batch.ranges.empty() && is_batches(batch.ranges.back().range.tp);
  return s_.options.commit == CommitUnit::batch && moves_clock == counts() &&
         std::ranges::adjacent_find(batch.ranges, same_partition) == batch.ranges.end() &&
         std::ranges::all_of(batch.ranges, [&](const auto& planned) {
           const auto& range = planned.range;
           const auto found = s_.partitions.find(range.tp);
           return found != s_.partitions.end() && range.from == found->second.committed &&
                  batch.time > found->second.moved_by && range.until > range.from;
         });
}

/// Batches that only let time go on tell nothing of a rate.
bool Stepper::nothing_read() const {
  return counts() ? s_.totals.offsets == 0 : s_.totals.batches == 0;
}

std::size_t Stepper::depth() const {
  // One range runs while the next is already durable. A measured rate wants what it planned to be
  // over before it plans again.
  const auto& limits = s_.options.limits;
  const bool first_is_bounded = limits.initial_rate > 0 && nothing_read();
  return limits.backpressure || first_is_bounded ? 1 : 2;
}

std::vector<Plannable> Stepper::plannable() const {
  std::vector<Plannable> free;
  for (const auto& [tp, partition] : s_.partitions) {
    if (!partition.subscribed || !partition.latest || partition.queue.size() >= depth()) continue;
    if (rests(partition)) continue;
    // It is recorded first, and is in no batch.
    if (s_.options.skip_batch && partition.earliest > partition.position) continue;
    const auto end =
        partition.stop ? std::min(*partition.stop, *partition.latest) : *partition.latest;
    if (end > partition.position) free.push_back({tp, partition.position, end});
  }
  return free;
}

bool Stepper::clock_waits() const {
  if (!counts()) return false;
  const auto* clock = this->clock();
  return clock == nullptr || clock->queue.size() >= depth();
}

/// Only once an answer of this interval is in: what it tells of is planned with the same batch. And
/// one at a time: whatever is open moves the clock.
bool Stepper::tick_due() const {
  if (s_.options.clock != BatchClock::each_interval || !s_.discovered || at_stops()) return false;
  return clock()->queue.empty() &&
         interval_begin(s_.answered_ms, s_.options.limits.interval_ms) > s_.last_time.ms;
}

void Stepper::plan() {
  if (s_.options.once && !s_.stops_known) return;
  if (s_.options.skip_batch) skip_what_is_gone();
  const auto& limits = s_.options.limits;
  while (s_.phase == Phase::running && !clock_waits()) {
    const auto free = plannable();
    if (free.empty() && !tick_due()) return;

    Budget budget{.rate = std::nullopt, .mean_record_bytes = s_.mean_record_bytes};
    if (limits.backpressure) budget.rate = s_.rate.rate();
    if (!budget.rate && limits.initial_rate > 0 && nothing_read()) {
      budget.rate = static_cast<double>(limits.initial_rate);
    }
    Batch batch{next_batch_time(now_, limits.interval_ms, s_.last_time), {}};
    for (auto& range : plan_ranges(free, limits, budget)) {
      batch.ranges.push_back({.range = std::move(range), .kind = TaskKind::load, .reason = {}});
    }
    if (counts()) {
      const auto from = clock()->position;
      batch.ranges.push_back({.range = {batches_partition(), from, from + positions_per_batch},
                              .kind = TaskKind::load,
                              .reason = {}});
    }
    add_batch(std::move(batch));
    start_ready();
  }
}

void Stepper::queue_up(const Batch& batch, bool fixed) {
  s_.batches[batch.time] = {.open = batch.ranges.size(), .planned_ms = now_};
  for (const auto& planned : batch.ranges) {
    auto& partition = s_.partitions.at(planned.range.tp);
    partition.position = planned.range.until;
    partition.queue.push_back({.time = batch.time,
                               .planned = planned,
                               .fixed = fixed,
                               .whole = fixed || s_.options.skip_batch});
  }
}

void Stepper::add_batch(Batch batch) {
  s_.last_time = batch.time;
  queue_up(batch, false);
  Load load;
  for (const auto& planned : batch.ranges) load += load_of(planned);
  s_.gathering.planned(load);
  actions_.push_back(PersistPlan{std::move(batch)});
}

}  // namespace semel::core
