#include "simulation/stream/database.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "simulation/violation.hpp"

namespace semel::stream_simulation {

using simulation::demand;

std::int64_t Database::fence(const std::string& owner) {
  fences_.push_back(owner);
  return state_.ledger.fence(owner);
}

bool Database::was_fenced(const std::string& owner) const {
  const auto first = std::ranges::find(fences_, owner);
  return std::any_of(first, fences_.end(), [&](const auto& other) { return other != owner; });
}

bool Database::enter(const std::string& owner, std::int64_t epoch,
                     const std::vector<Progress>& starts) {
  return state_.ledger.enter(owner, epoch, starts);
}

CommitResult Database::commit(const Transaction& transaction) {
  const auto& tasks = transaction.tasks;
  std::vector<Committed> counts(tasks.size());
  if (const auto refused = state_.ledger.refused(tasks, transaction.owner)) {
    return Refused{entry(tasks[*refused].range.tp), *refused};
  }
  for (const auto& task : tasks) {
    const auto& at = *progress(task.range.tp);
    demand(at.batch_time < task.time, "batch time",
           fmt::format("batch {} of {} is not above {}", task.time.ms, to_string(task.range.tp),
                       at.batch_time.ms));
  }
  state_.ledger.move(tasks, transaction.ends);
  if (transaction.state) state_.remembered.apply(*transaction.state);
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
