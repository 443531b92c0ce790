#include "testing/memory_ledger.hpp"

#include <algorithm>

namespace semel::testing {

std::int64_t MemoryLedger::fence(const std::string& owner) {
  owner_ = owner;
  return ++epoch_;
}

bool MemoryLedger::enter(const std::string& owner, std::int64_t epoch,
                         std::span<const Progress> starts) {
  if (owner_ != owner || epoch_ != epoch) return false;
  for (const auto& start : starts) partitions_.try_emplace(start.tp, start);
  return true;
}

std::optional<std::size_t> MemoryLedger::refused(std::span<const Task> tasks,
                                                 const std::string& owner) const {
  Owner who;
  who.id = owner;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!allows(entry(tasks[i].range.tp), tasks[i], who)) return i;
  }
  return std::nullopt;
}

void MemoryLedger::move(std::span<const Task> tasks, std::span<const RangeEnd> ends) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    auto& at = partitions_.at(tasks[i].range.tp);
    at.until = tasks[i].range.until;
    at.batch_time = tasks[i].time;
    at.last = ends[i].last;
  }
}

LedgerEntry MemoryLedger::entry(const TopicPartition& tp) const {
  LedgerEntry entry;
  entry.epoch = epoch_;
  entry.owner = owner_;
  entry.owner_description = owner_;
  if (const auto* at = progress(tp)) {
    entry.until = at->until;
    entry.batch_time = at->batch_time;
  }
  return entry;
}

const Progress* MemoryLedger::progress(const TopicPartition& tp) const {
  const auto found = partitions_.find(tp);
  return found == partitions_.end() ? nullptr : &found->second;
}

std::vector<Progress> MemoryLedger::progress() const {
  std::vector<Progress> all;
  for (const auto& [tp, at] : partitions_) all.push_back(at);
  return all;
}

BatchTime MemoryLedger::highest() const {
  BatchTime highest;
  for (const auto& [tp, at] : partitions_) highest = std::max(highest, at.batch_time);
  return highest;
}

}  // namespace semel::testing
