#include "engine/news.hpp"

#include <algorithm>

namespace semel::engine {

void News::happened(std::span<const core::Event> events, const core::DriverState& state) {
  if (listener_ == nullptr) return;
  for (const auto& event : events) {
    if (const auto* taken = std::get_if<core::TookOver>(&event.body)) {
      on(*taken);
    } else if (const auto* committed = std::get_if<core::TaskCommitted>(&event.body)) {
      on(*committed, state);
    } else if (const auto* entered = std::get_if<core::Entered>(&event.body)) {
      listener_->on_entered(output_, entered->starts);
    }
  }
}

void News::on(const core::TookOver& event) {
  batches_.clear();
  for (const auto& batch : event.recovered) planned(batch);
  listener_->on_taken_over(output_, event.taken);
}

News::Range* News::find(BatchTime time, const TopicPartition& tp) {
  const auto batch = batches_.find(time);
  if (batch == batches_.end()) return nullptr;
  const auto found = std::ranges::find(batch->second, tp,
                                       [](const auto& range) { return range.planned.range.tp; });
  return found == batch->second.end() ? nullptr : &*found;
}

void News::on(const core::TaskCommitted& event, const core::DriverState& state) {
  const auto group = state.groups.find(event.id);
  if (group == state.groups.end()) return;
  for (std::size_t i = 0; i < event.done.size(); ++i) {
    if (auto* range = find(event.id.time, group->second[i])) range->counts = event.done[i].counts;
  }
}

void News::planned(const core::Batch& batch) {
  if (listener_ == nullptr) return;
  auto& ranges = batches_[batch.time];
  for (const auto& range : batch.ranges) {
    // Of a batch that is given up they are lost now.
    if (auto* known = find(batch.time, range.range.tp)) {
      known->planned = range;
    } else {
      ranges.push_back({range});
    }
  }
}

void News::moved(const TopicPartition& tp, const core::DriverState& state) {
  if (listener_ == nullptr) return;
  const auto partition = state.partitions.find(tp);
  if (partition == state.partitions.end() || !partition->second.moved_by) return;
  if (auto* range = find(*partition->second.moved_by, tp)) range->moved = true;
}

void News::done(BatchTime time) {
  const auto batch = batches_.extract(time);
  if (batch.empty()) return;
  std::vector<CommittedRange> committed;
  for (auto& [planned, counts, moved] : batch.mapped()) {
    if (!moved) continue;
    if (planned.kind == TaskKind::lost) {
      listener_->on_data_lost(output_, planned.range, planned.reason);
    } else {
      committed.push_back({planned.range, std::move(counts)});
    }
  }
  if (!committed.empty()) listener_->on_committed(output_, time, committed);
}

void News::ended(const Result<Snapshot>& outcome) {
  if (listener_ != nullptr) listener_->on_ended(output_, outcome ? nullptr : &outcome.error());
}

}  // namespace semel::engine
