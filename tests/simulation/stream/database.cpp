#include "simulation/stream/database.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "simulation/violation.hpp"

namespace semel::stream_simulation {

using simulation::demand;

std::int64_t Database::fence(const std::string& owner) {
  state_.owner = owner;
  fences_.push_back(owner);
  return ++state_.epoch;
}

bool Database::was_fenced(const std::string& owner) const {
  const auto first = std::ranges::find(fences_, owner);
  return std::any_of(first, fences_.end(), [&](const auto& other) { return other != owner; });
}

bool Database::enter(const std::string& owner, std::int64_t epoch,
                     const std::vector<Progress>& starts) {
  if (state_.owner != owner || state_.epoch != epoch) return false;
  for (const auto& start : starts) state_.ledger.try_emplace(start.tp, start);
  return true;
}

bool Database::allows(const Task& task, const std::string& owner) const {
  const auto* at = progress(task.range.tp);
  return at != nullptr && state_.owner == owner && state_.epoch == task.epoch &&
         at->until == task.range.from && (!task.moved_by || at->batch_time == *task.moved_by);
}

CommitResult Database::commit(const Transaction& transaction) {
  std::vector<Committed> counts(transaction.tasks.size());
  for (std::size_t i = 0; i < transaction.tasks.size(); ++i) {
    const auto& task = transaction.tasks[i];
    if (!allows(task, transaction.owner)) return Refused{entry(task.range.tp), i};
  }
  for (std::size_t i = 0; i < transaction.tasks.size(); ++i) {
    const auto& task = transaction.tasks[i];
    auto& at = state_.ledger.at(task.range.tp);
    demand(at.batch_time < task.time, "batch time",
           fmt::format("batch {} of {} is not above {}", task.time.ms, to_string(task.range.tp),
                       at.batch_time.ms));
    at.until = task.range.until;
    at.batch_time = task.time;
    at.last = transaction.ends[i].last;
    state_.highest = std::max(state_.highest, task.time);
  }
  for (const auto& row : transaction.rows) {
    const auto& range = transaction.tasks[row.task].range;
    const bool added = state_.rows[range.tp].emplace(row.offset, row.value).second;
    demand(added && row.offset >= range.from && row.offset < range.until, "exactly once",
           fmt::format("{}: a second row, or one out of its range, at {} in {}", name_, row.offset,
                       to_string(range)));
    ++counts[row.task].rows;
  }
  return counts;
}

LedgerEntry Database::entry(const TopicPartition& tp) const {
  LedgerEntry entry;
  entry.epoch = state_.epoch;
  entry.owner = state_.owner;
  entry.owner_description = state_.owner;
  if (const auto* at = progress(tp)) {
    entry.until = at->until;
    entry.batch_time = at->batch_time;
  }
  return entry;
}

const Progress* Database::progress(const TopicPartition& tp) const {
  const auto found = state_.ledger.find(tp);
  return found == state_.ledger.end() ? nullptr : &found->second;
}

std::vector<Progress> Database::progress() const {
  std::vector<Progress> all;
  for (const auto& [tp, progress] : state_.ledger) all.push_back(progress);
  return all;
}

BatchTime Database::highest() const {
  auto highest = state_.highest;
  for (const auto& [tp, at] : state_.ledger) highest = std::max(highest, at.batch_time);
  return highest;
}

state::Version Database::version() const {
  const auto* at = progress({std::string(batches_topic), 0});
  return state::version_of(at == nullptr ? std::nullopt : std::optional(*at));
}

const std::map<Offset, std::string>& Database::rows(const TopicPartition& tp) const {
  static const std::map<Offset, std::string> none;
  const auto found = state_.rows.find(tp);
  return found == state_.rows.end() ? none : found->second;
}

bool Database::go_back() {
  if (copy_.ledger.empty()) return false;
  state_ = copy_;
  adrift_.clear();
  ++incarnation_;
  return true;
}

Transaction Database::take_adrift() {
  auto transaction = std::move(adrift_.front());
  adrift_.erase(adrift_.begin());
  return transaction;
}

void Database::end_sessions(const std::string& owner, bool of_others) {
  std::erase_if(adrift_, [&](const auto& left) { return (left.owner != owner) == of_others; });
}

}  // namespace semel::stream_simulation
