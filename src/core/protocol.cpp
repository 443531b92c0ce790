#include "core/protocol.hpp"

#include <algorithm>
#include <map>

namespace semel::core {

namespace {

/// Where a partition stands, in the ledger or behind what is kept.
struct Standing {
  Offset position;
  BatchTime time;
};
using Standings = std::map<TopicPartition, Standing>;

bool fits(const PlannedRange& planned, BatchTime time, const Standings& standings) {
  const auto found = standings.find(planned.range.tp);
  return found != standings.end() && planned.range.from == found->second.position &&
         time > found->second.time;
}

bool moves_clock(const Batch& batch, const Standings& standings) {
  return std::ranges::any_of(batch.ranges, [&](const auto& planned) {
    // What is more than one batch was one for an output behind the others.
    return is_batches(planned.range.tp) && fits(planned, batch.time, standings) &&
           planned.range.until - planned.range.from == positions_per_batch;
  });
}

}  // namespace

Verdict judge_owner(const LedgerEntry& entry, std::int64_t epoch, const std::string& owner) {
  if (entry.epoch < epoch) return Verdict::went_back;  // a missing owner row has epoch -1
  if (entry.epoch > epoch || entry.owner != owner) return Verdict::fenced;
  return Verdict::not_committed;
}

Verdict judge(const LedgerEntry& entry, const Task& task, const std::string& owner) {
  if (const auto verdict = judge_owner(entry, task.epoch, owner);
      verdict != Verdict::not_committed) {
    return verdict;
  }
  if (!entry.until) return Verdict::went_back;
  const auto& range = task.range;
  if (*entry.until == range.until && entry.batch_time == task.time) return Verdict::committed;
  if (*entry.until == range.from && (!task.moved_by || entry.batch_time == *task.moved_by)) {
    return Verdict::not_committed;
  }
  // A replica that had our take-over, but not our last commits, has our epoch and owner.
  if (*entry.until <= range.from) return Verdict::went_back;
  return Verdict::broken;
}

Reconciled reconcile(std::span<const Batch> batches, std::span<const Progress> progress,
                     std::optional<BatchTime> above, BatchClock clock, bool given_up) {
  const bool counts = clock != BatchClock::none;
  Standings standings;
  for (const auto& p : progress) {
    if (counts || !is_batches(p.tp)) standings[p.tp] = {p.until, p.batch_time};
  }

  Reconciled result;
  for (const auto& batch : batches) {
    const bool whole = given_up && batch.given_up;
    if (!whole && ((above && batch.time <= *above) || (counts && !moves_clock(batch, standings)))) {
      result.forget.push_back(batch.time);
      continue;
    }
    Batch kept{batch.time, {}, batch.given_up};
    for (const auto& planned : batch.ranges) {
      if (planned.kind == TaskKind::lost && !whole) continue;
      if (!fits(planned, batch.time, standings)) continue;
      standings[planned.range.tp] = {planned.range.until, batch.time};
      kept.ranges.push_back(planned);
    }
    if (kept.ranges.empty()) {
      result.forget.push_back(batch.time);
    } else {
      result.batches.push_back(std::move(kept));
    }
  }
  return result;
}

}  // namespace semel::core
