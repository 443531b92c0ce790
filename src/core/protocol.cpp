#include "core/protocol.hpp"

#include <map>

namespace semel::core {

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
                     std::optional<BatchTime> above) {
  struct Standing {
    Offset position;
    BatchTime time;
  };
  std::map<TopicPartition, Standing> standings;
  for (const auto& p : progress) standings[p.tp] = {p.until, p.batch_time};

  Reconciled result;
  for (const auto& batch : batches) {
    if (above && batch.time <= *above) {
      result.forget.push_back(batch.time);
      continue;
    }
    Batch kept{batch.time, {}};
    for (const auto& planned : batch.ranges) {
      const auto found = standings.find(planned.range.tp);
      if (found == standings.end()) continue;
      auto& standing = found->second;
      if (planned.range.from != standing.position || batch.time <= standing.time) continue;
      if (planned.kind == TaskKind::lost) continue;
      standing = {planned.range.until, batch.time};
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
