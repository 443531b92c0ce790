#include "simulation/sink.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "simulation/violation.hpp"

namespace semel::simulation {

void Sink::fence(const std::string& owner) {
  state_.epoch = std::max<std::int64_t>(state_.epoch, 0) + 1;
  state_.owner = owner;
  fences_.push_back(owner);
  for (auto& [tp, row] : state_.ledger) {
    row.epoch = state_.epoch;
    row.owner = owner;
  }
}

bool Sink::was_fenced(const std::string& owner) const {
  const auto first = std::ranges::find(fences_, owner);
  return std::any_of(first, fences_.end(), [&](const auto& other) { return other != owner; });
}

void Sink::end_others(const std::string& owner) {
  std::erase_if(adrift_, [&](const auto& left) { return left.owner != owner; });
}

TakenOver Sink::read(const std::string& reader) {
  TakenOver taken;
  taken.epoch = state_.epoch;
  taken.progress = all_progress();
  for (const auto& move : state_.history) {
    taken.highest_batch_time = std::max(taken.highest_batch_time, move.batch_time);
  }
  taken.pending = ahead_;
  if (state_.owner == reader) reader_ = reader;
  return taken;
}

std::vector<Progress> Sink::all_progress() const {
  std::vector<Progress> all;
  for (const auto& [tp, row] : state_.ledger) all.push_back(row.progress);
  return all;
}

bool Sink::allows(const Task& task, const std::string& owner) const {
  const auto found = state_.ledger.find(task.range.tp);
  return found != state_.ledger.end() &&
         (bugs_.guard_without_position || found->second.progress.until == task.range.from) &&
         (bugs_.guard_without_time || bugs_.guard_without_position || !task.moved_by ||
          found->second.progress.batch_time == *task.moved_by) &&
         found->second.epoch == task.epoch &&
         (bugs_.guard_without_owner || found->second.owner == owner);
}

CommitResult Sink::commit(const Transaction& transaction, bool guarded) {
  const auto& parts = transaction.parts;
  std::vector<std::size_t> refused;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!allows(parts[i].task, transaction.owner)) refused.push_back(i);
  }
  const bool passes =
      refused.empty() || (bugs_.one_row_fewer && refused.size() == 1 && parts.size() > 1);
  if (!passes) {
    if (bugs_.commit_without_guard || !guarded) store(transaction);
    return Refused{entry(parts[refused.front()].task.range.tp), refused.front()};
  }
  if (ahead_ && !is_ahead(transaction)) {
    // Who is told so takes over again, and finds out.
    auto went_back = entry(parts.front().task.range.tp);
    went_back.epoch = parts.front().task.epoch - 1;
    return Refused{went_back, 0};
  }
  std::vector<Committed> counts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (std::ranges::count(refused, i) == 0) move(transaction, parts[i]);
    counts.push_back({.rows = parts[i].rows.size(), .dead_letters = parts[i].dead_letters.size()});
  }
  const auto& first = parts.front().task;
  if (first.kind == TaskKind::load) {
    const auto count = ++state_.transactions[first.time];
    demand(!whole_batches_ || count == 1, "whole batch",
           fmt::format("batch {} became {} transactions", first.time.ms, count));
    check_counted(transaction);
    ahead_.reset();
  }
  store(transaction);
  return counts;
}

bool Sink::is_ahead(const Transaction& transaction) const {
  std::vector<OffsetRange> ranges;
  for (const auto& part : transaction.parts) ranges.push_back(part.task.range);
  const auto& first = transaction.parts.front().task;
  return first.kind == TaskKind::load && first.time == ahead_->time && ranges == ahead_->ranges;
}

void Sink::commit_elsewhere(const Transaction& transaction) {
  const auto& parts = transaction.parts;
  if (ahead_ || parts.front().task.kind == TaskKind::lost) return;
  if (!std::ranges::all_of(
          parts, [&](const auto& part) { return allows(part.task, transaction.owner); })) {
    return;
  }
  ahead_.emplace().time = parts.front().task.time;
  for (const auto& part : parts) ahead_->ranges.push_back(part.task.range);
}

void Sink::check_counted(const Transaction& transaction) const {
  constexpr Offset positions_per_batch = 1 << 28;
  if (!counted_batches_) return;
  const auto& last = transaction.parts.back().task;
  demand(is_batches(last.range.tp) && last.range.until - last.range.from == positions_per_batch,
         "counted", fmt::format("batch {} ends with {}", last.time.ms, to_string(last.range)));
}

void Sink::move(const Transaction& transaction, const Transaction::Part& part) {
  const auto& task = part.task;
  const auto& tp = task.range.tp;
  auto& row = state_.ledger.at(tp);
  // Its own message from before it took the output over again is the owner's, too.
  demand(transaction.owner == reader_ || transaction.owner == state_.owner, "P7",
         fmt::format("{} committed {} although {} has read the ledger", transaction.owner,
                     to_string(task.range), reader_));
  auto& progress = row.progress;
  demand(progress.until == task.range.from, "P1",
         fmt::format("{} was committed where the ledger stands at {}", to_string(task.range),
                     progress.until));
  demand(progress.batch_time < task.time, "batch time",
         fmt::format("batch {} of {} is not above {}", task.time.ms, to_string(tp),
                     progress.batch_time.ms));
  // Whoever reads or corrects this ledger later goes by it.
  demand(std::ranges::all_of(
             part.rows, [&](const auto& place) { return place.generation <= part.generation; }),
         "world",
         fmt::format("{} has rows of another log than its position is of", to_string(task.range)));
  progress.until = task.range.until;
  progress.batch_time = task.time;
  progress.last = task.kind == TaskKind::lost ? std::nullopt : part.end.last;
  row.generation = part.generation;
  state_.history.push_back({.tp = tp,
                            .batch_time = task.time,
                            .epoch = task.epoch,
                            .from = task.range.from,
                            .until = task.range.until,
                            .kind = task.kind == TaskKind::lost ? MoveKind::lost : MoveKind::commit,
                            .rows = part.rows.size(),
                            .dead_letters = part.dead_letters.size(),
                            .committed_at = {}});
}

void Sink::store(const Transaction& transaction) {
  for (const auto& part : transaction.parts) {
    for (const auto* places : {&part.rows, &part.dead_letters}) {
      for (const auto& place : *places) {
        const auto count = ++state_.rows[place];
        demand(count == 1, "exactly once",
               fmt::format("{} offset {} was stored {} times", to_string(place.tp), place.offset,
                           count));
      }
    }
  }
}

void Sink::execute_adrift(std::size_t index) {
  const auto transaction = adrift_[index];
  adrift_.erase(adrift_.begin() + static_cast<std::ptrdiff_t>(index));
  commit(transaction);
}

void Sink::end_session(const std::string& owner, const std::vector<Task>& tasks) {
  const auto is_of = [&](const Transaction& left) {
    return left.owner == owner && left.parts.front().task.range.tp == tasks.front().range.tp;
  };
  std::erase_if(adrift_, is_of);
}

bool Sink::enter(const std::string& owner, std::int64_t epoch, const std::vector<Start>& starts) {
  const bool ours = state_.epoch == epoch && state_.owner == owner;
  if (!ours && !bugs_.enter_without_fence) return false;
  for (const auto& [start, generation, latest] : starts) {
    // The rows carry the epoch of who enters them: under the owner's lock that is the owner.
    const auto [row, added] =
        state_.ledger.try_emplace(start.tp, Row{start, epoch, owner, generation});
    if (!added) continue;
    demand(ours, "P7",
           fmt::format("{} entered {} although {} owns the output", owner, to_string(start.tp),
                       state_.owner));
    state_.history.push_back({.tp = start.tp,
                              .batch_time = start.batch_time,
                              .epoch = epoch,
                              .from = start.until,
                              .until = start.until,
                              .kind = MoveKind::start,
                              .rows = 0,
                              .dead_letters = 0,
                              .committed_at = {}});
  }
  return true;
}

void Sink::set(const TopicPartition& tp, Offset until, int generation) {
  fence("operator");
  auto& progress = state_.ledger.at(tp).progress;
  BatchTime highest;
  for (const auto& move : state_.history) highest = std::max(highest, move.batch_time);
  const BatchTime time{highest.ms + 1};
  state_.history.push_back({.tp = tp,
                            .batch_time = time,
                            .epoch = state_.epoch,
                            .from = progress.until,
                            .until = until,
                            .kind = MoveKind::set,
                            .rows = 0,
                            .dead_letters = 0,
                            .committed_at = {}});
  progress.until = until;
  progress.batch_time = time;
  progress.last.reset();
  state_.ledger.at(tp).generation = generation;
}

int Sink::generation(const TopicPartition& tp) const {
  return state_.ledger.at(tp).generation;
}

LedgerEntry Sink::entry(const TopicPartition& tp) const {
  LedgerEntry entry;
  entry.epoch = state_.epoch;
  entry.owner = state_.owner;
  if (const auto* found = progress(tp)) {
    entry.until = found->until;
    entry.batch_time = found->batch_time;
  }
  return entry;
}

const Progress* Sink::progress(const TopicPartition& tp) const {
  const auto found = state_.ledger.find(tp);
  return found == state_.ledger.end() ? nullptr : &found->second.progress;
}

void Sink::fail_over() {
  state_ = replica_;
  adrift_.clear();
  reader_ = state_.owner;
  ++incarnation_;
}

int Sink::stored(const Place& place) const {
  const auto found = state_.rows.find(place);
  return found == state_.rows.end() ? 0 : found->second;
}

}  // namespace semel::simulation
