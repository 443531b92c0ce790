// Records that are gone: recorded and skipped; and with skip_batch, what is left of their batch.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "core/stepper.hpp"

namespace semel::core {

namespace {

constexpr std::size_t ranges_told_max = 8;

std::string ranges_of(const Batch& batch) {
  std::string all;
  for (std::size_t i = 0; i < batch.ranges.size(); ++i) {
    if (i == ranges_told_max) return all + fmt::format(" and {} more", batch.ranges.size() - i);
    all += (i == 0 ? "" : ", ") + to_string(batch.ranges[i].range);
  }
  return all;
}

auto find_range(std::deque<QueuedRange>& queue, BatchTime time) {
  return std::ranges::find(queue, time, &QueuedRange::time);
}

}  // namespace

bool is_condemned(const DriverState& state, const QueuedRange& range) {
  return state.batches.at(range.time).to_give_up.has_value();
}

std::string Stepper::skipping() const {
  return s_.options.names(s_.options.skip_batch ? skip_batch_setting : skip_setting);
}

void Stepper::lost(const TopicPartition& tp, const Error& error, const LogBounds& bounds) {
  auto& partition = s_.partitions.at(tp);
  if (auto end = ends_with({tp, partition.committed, partition.vouched}, error, bounds,
                           s_.options.skip_lost, s_.options.names)) {
    return finish(*std::move(end));
  }
  if (s_.options.skip_batch && !partition.queue.empty()) return lost_in_batch(tp, error, bounds);
  if (bounds.gone) return gone(tp, error.message);
  if (!drop_queue(partition)) return;
  const auto from = partition.committed;
  const auto until = bounds.earliest;
  notice(true, fmt::format("{}; skipping from offset {} to {} ({})", error.message, from, until,
                           skipping()));
  see_bounds(partition, until, bounds);
  add_batch({next_batch_time(now_, s_.options.limits.interval_ms, s_.last_time),
             {{.range = {tp, from, until}, .kind = TaskKind::lost, .reason = error.message}}});
}

void Stepper::see_bounds(PartitionState& partition, Offset until, const LogBounds& bounds) const {
  // The stop offsets of a run with --once were those of a log that is gone.
  if (partition.stop) partition.stop = std::max(until, std::min(*partition.stop, bounds.latest));
  partition.latest = bounds.latest;
  partition.earliest = bounds.earliest;
  partition.seen_end = bounds.latest;
}

/// Nothing of the partition is under way. Of the same log, what is gone of the ranges behind the
/// first one is found in its turn; of another one, or one that was cut off, all of them are gone.
void Stepper::lost_in_batch(const TopicPartition& tp, const Error& error, const LogBounds& bounds) {
  auto& partition = s_.partitions.at(tp);
  auto& first = partition.queue.front();
  if (!may_drop(first)) return;
  const bool all = bounds.gone || bounds.recreated || first.planned.range.until > bounds.latest;
  for (const auto& range : partition.queue) {
    condemn(range.time, error.message);
    if (!all) break;
  }
  if (bounds.gone) return gone(tp, error.message);
  first.planned.kind = TaskKind::lost;
  first.planned.reason = error.message;
  if (all) {
    drop_behind(partition, 1);
    partition.position = first.planned.range.until = bounds.earliest;
  }
  see_bounds(partition, first.planned.range.until, bounds);
}

/// The log ends below what was planned, and not below what was committed. It was cut off, or is
/// another one: the last record that was committed tells, when what it holds now is read.
void Stepper::cut_off(const TopicPartition& tp, PartitionState& partition, Offset end) {
  const auto beyond = std::ranges::find_if(
      partition.queue, [end](const QueuedRange& range) { return range.planned.range.until > end; });
  if (beyond == partition.queue.end()) return;
  const auto why = fmt::format(
      "{} was planned, but the log ends at offset {}: it was cut off (an unclean leader election) "
      "or created anew",
      to_string(beyond->planned.range), end);
  std::for_each(beyond, partition.queue.end(),
                [&](const auto& range) { condemn(range.time, why); });
  notice(true,
         fmt::format("{}; going on with what {} holds now ({})", why, to_string(tp), skipping()));
  partition.recheck = true;
  partition.seen_end = end;
  if (partition.stop) partition.stop = std::min(*partition.stop, end);
  drop_behind(partition, static_cast<std::size_t>(beyond - partition.queue.begin()));
}

void Stepper::condemn(BatchTime time, const std::string& why) {
  s_.batches.at(time).to_give_up = why;
}

/// Known before it is planned: no batch has it.
void Stepper::skip_what_is_gone() {
  for (auto& [tp, partition] : in_kafka(s_.partitions)) {
    const bool waits = !partition.subscribed || rests(partition) || !partition.queue.empty();
    // What is gone behind its stop is no loss of this run.
    const bool over = partition.stop && partition.position >= *partition.stop;
    if (waits || over || !partition.latest || !(partition.earliest > partition.position)) continue;
    const LogBounds bounds{*partition.earliest, *partition.latest};
    const auto error = Error{
        ErrorKind::data_loss, Cause::data_loss,
        fmt::format("{}: offset {} is next, but the log begins at {} and ends at {}: the records "
                    "before it were deleted by retention or by hand",
                    to_string(tp), partition.position, bounds.earliest, bounds.latest)};
    lost(tp, error, bounds);
    if (s_.phase != Phase::running) return;
  }
}

/// Those of which nothing is under way any more: what is committed by then stays.
void Stepper::give_up_batches() {
  std::vector<std::pair<BatchTime, std::string>> ready;
  for (const auto& [time, batch] : s_.batches) {
    const auto group = s_.groups.lower_bound({time, {}});
    const bool under_way = group != s_.groups.end() && group->first.time == time;
    if (batch.to_give_up && !under_way) ready.emplace_back(time, *batch.to_give_up);
  }
  for (const auto& [time, why] : ready) give_up(time, why);
}

/// Durable before the first of it is recorded: a crash in between leaves the rest to be recorded.
void Stepper::give_up(BatchTime time, const std::string& why) {
  s_.batches.at(time).to_give_up.reset();
  for (auto& [tp, partition] : in_kafka(s_.partitions)) {
    const auto range = find_range(partition.queue, time);
    if (range == partition.queue.end()) continue;
    range->isolate = range->last_resort = false;
    range->not_before_ms = now_;
    if (std::exchange(range->planned.kind, TaskKind::lost) == TaskKind::load) {
      range->planned.reason = fmt::format("given up with batch {}: {}", time.ms, why);
    }
  }
  leave_clock(time);
  auto batch = queued(time);
  if (batch.ranges.empty()) return;
  batch.given_up = true;
  ++s_.totals.given_up;
  notice(true, fmt::format("{}; batch {} is given up: of {} nothing more is stored ({})", why,
                           time.ms, ranges_of(batch), skipping()));
  actions_.push_back(PersistPlan{std::move(batch)});
}

/// What only records a loss is no step of ~batches. The batches behind it move up.
void Stepper::leave_clock(BatchTime time) {
  const auto clock = s_.partitions.find(batches_partition());
  if (clock == s_.partitions.end()) return;
  auto& queue = clock->second.queue;
  const auto left = find_range(queue, time);
  if (left == queue.end()) return;
  auto at = left->planned.range.from;
  const auto next = queue.erase(left);
  for (auto range = next; range != queue.end(); ++range) {
    range->planned.range.from = at;
    at = range->planned.range.until = at + positions_per_batch;
  }
  clock->second.position = at;
  for (auto range = next; range != queue.end(); ++range) {
    if (!is_condemned(s_, *range)) actions_.push_back(PersistPlan{queued(range->time)});
  }
  close_range(time);
}

/// What is not done of it.
Batch Stepper::queued(BatchTime time) const {
  Batch batch{time, {}};
  for (const auto& [tp, partition] : s_.partitions) {
    const auto range = std::ranges::find(partition.queue, time, &QueuedRange::time);
    if (range != partition.queue.end()) batch.ranges.push_back(range->planned);
  }
  return batch;
}

void Stepper::drop_behind(PartitionState& partition, std::size_t kept) {
  auto& queue = partition.queue;
  const auto first = queue.begin() + static_cast<std::ptrdiff_t>(kept);
  if (first == queue.end()) return;
  partition.position = first->planned.range.from;
  const std::vector<QueuedRange> dropped(first, queue.end());
  queue.erase(first, queue.end());
  for (const auto& range : dropped) close_range(range.time);
}

}  // namespace semel::core
