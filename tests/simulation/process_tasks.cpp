// The executors' side: a range is fetched a piece at a time, then committed.
#include <fmt/format.h>
#include <algorithm>

#include "core/same_log.hpp"
#include "simulation/process.hpp"
#include "simulation/violation.hpp"

namespace semel::simulation {

namespace {

constexpr int offsets_per_fetch = 8;
constexpr std::uint32_t one_is_poison = 20;  // of so many records

}  // namespace

void Process::run(Running& running, bool faults) {
  if (running.first().kind == TaskKind::load && !read(running, faults)) return;
  commit(running, faults);
}

/// A piece; true when all of all parts is there.
bool Process::read(Running& running, bool faults) {
  if (running.at == running.parts.size()) return true;
  auto& part = running.part();
  if (is_batches(part.task.range.tp)) {
    begin_session(running);
    // Whoever stores something for a batch as a whole marks it.
    part.last = RecordMark{part.task.range.until - 1, part.task.time.ms, 0};
    return ++running.at == running.parts.size();
  }
  if (!part.reading && !begin(running)) return false;
  if (part.position < part.task.range.until) {
    if (!fetch(running, faults)) return false;
    if (part.position < part.task.range.until) return false;
  }
  return ++running.at == running.parts.size();
}

bool Process::begin(Running& running) {
  auto& part = running.part();
  const auto& task = part.task;
  const auto& log = world_.kafka.logs.at(task.range.tp);
  part.reading = true;
  part.position = task.range.from;
  part.last = task.last;
  begin_session(running);
  part.disturbances = log.disturbances;
  part.generation = log.generation;
  const auto session = sessions_.find(task.range.tp);
  const bool contiguous = session != sessions_.end() && session->second.until == task.range.from &&
                          session->second.disturbances == log.disturbances;
  if (contiguous && !task.recheck) return true;
  return same_log(running, log);
}

void Process::begin_session(Running& running) {
  if (!std::exchange(running.began, true)) running.incarnation = world_.sink.incarnation();
}

/// Compares the last record read with what the log has in its place.
bool Process::same_log(Running& running, const Log& log) {
  auto& part = running.part();
  part.disturbances = log.disturbances;
  part.generation = log.generation;
  const auto mark = part.last;
  if (mark && mark->offset < part.position) {
    // The fetch finds no such offset: the log's ends are asked for, and may have moved by then.
    if (mark->offset < log.earliest || mark->offset >= log.last_stable()) {
      part.out_of_range = true;
      return false;
    }
    if (const auto* found = log.visible(mark->offset)) {
      if (found->id == mark->checksum) return true;
      fail_reading(running, {ErrorKind::data_loss, Cause::data_loss, "the topic was created anew"},
                   core::LogBounds{log.earliest, log.last_stable(), true});
      return false;
    }
  }
  goes_on_without_evidence(part, log);
  return true;
}

void Process::goes_on_without_evidence(const Part& part, const Log& log) {
  const auto& tp = part.task.range.tp;
  if (world_.sink.progress(tp) == nullptr || world_.sink.generation(tp) == log.generation) {
    return;
  }
  auto& below = world_.evidence.excused[{tp, log.generation}];
  below = std::max(below, part.position);
}

bool Process::judge_out_of_range(Running& running, const Log& log) {
  auto& part = running.part();
  part.out_of_range = false;
  part.generation = log.generation;
  switch (
      core::judge_out_of_range(part.last->offset, part.position, log.earliest, log.last_stable())) {
    case core::OutOfRange::lost:
      fail_reading(
          running, {ErrorKind::data_loss, Cause::data_loss, "out of the log"},
          core::LogBounds{log.earliest, log.last_stable(), part.position > log.last_stable()});
      return false;
    case core::OutOfRange::look_again:
      return same_log(running, log);
    case core::OutOfRange::no_evidence:
      goes_on_without_evidence(part, log);
      return true;
  }
  return false;
}

bool Process::fetch(Running& running, bool faults) {
  auto& part = running.part();
  const auto& range = part.task.range;
  const auto& log = world_.kafka.logs.at(range.tp);
  if (faults && settings_.faults.tp && world_.choices.one_in(12)) {
    fail_reading(running, {ErrorKind::unavailable, Cause::sink, "the broker is gone"});
    return false;
  }
  if (world_.kafka.another_cluster) {
    fail_reading(running, another_cluster());
    return false;
  }
  if (world_.kafka.denied) {
    fail_reading(running, {ErrorKind::fatal, Cause::source, "denied"});
    return false;
  }
  if (!log.exists) {
    if (world_.choices.one_in(2)) {
      fail_reading(running, {ErrorKind::data_loss, Cause::data_loss, "the topic is gone"},
                   core::LogBounds{.gone = true});
    }
    return false;
  }
  if (!log.leader) {
    // Others would wait for it.
    const bool may_part = settings_.driver.commit == core::CommitUnit::automatic;
    if (may_part && running.parts.size() > 1 && world_.choices.one_in(2)) {
      fail_reading(running, {ErrorKind::unavailable, Cause::source, "slow"}, {}, true);
    }
    return false;
  }
  if (part.out_of_range) {
    if (!judge_out_of_range(running, log)) return false;
  } else if (log.disturbances != part.disturbances && !same_log(running, log)) {
    return false;
  }
  const auto end = log.last_stable();
  if (part.position < log.earliest || part.position > end) {
    fail_reading(running, {ErrorKind::data_loss, Cause::data_loss, "out of the log"},
                 core::LogBounds{log.earliest, end, part.position > end});
    return false;
  }
  for (int i = 0; i < offsets_per_fetch && part.position < range.until; ++i) {
    if (part.position >= end) {
      fail_reading(running,
                   {ErrorKind::retriable, Cause::sink, "the log ends below the planned end"});
      return false;
    }
    if (const auto* entry = log.visible(part.position)) {
      const bool poison = settings_.faults.poison && entry->id % one_is_poison == 0;
      (poison ? part.poison : part.rows).push_back({range.tp, log.generation, part.position});
      part.last = RecordMark{part.position, 0, entry->id};
    }
    ++part.position;
  }
  return true;
}

/// Isolating tasks read the ledger before they write.
bool Process::refused_early(const Running& running) {
  if (!running.first().isolate) return false;
  for (std::size_t i = 0; i < running.parts.size(); ++i) {
    const auto& task = running.parts[i].task;
    const auto entry = world_.sink.entry(task.range.tp);
    if (entry.until == task.range.from && entry.owner == id_ &&
        (!task.moved_by || entry.batch_time == *task.moved_by)) {
      continue;
    }
    end(running, core::TaskRefused{running.id(), entry, i});
    return true;
  }
  return false;
}

Transaction Process::transaction_of(const Running& running) {
  Transaction transaction{id_, {}};
  for (const auto& part : running.parts) {
    const auto& task = part.task;
    const auto generation = task.kind == TaskKind::load
                                ? part.generation
                                : world_.kafka.logs.at(task.range.tp).generation;
    if (task.kind == TaskKind::lost) excuse_skipped(task, generation);
    transaction.parts.push_back({task, {part.last}, part.rows, part.poison, generation});
  }
  return transaction;
}

void Process::commit(Running& running, bool faults) {
  auto& sink = world_.sink;
  auto& choices = world_.choices;
  if (running.began && running.incarnation != sink.incarnation()) {
    return fail(running, ErrorKind::unavailable, "the connection is gone");
  }
  if (refused_early(running)) return;
  if (faults && settings_.faults.bad_rows && !running.first().isolate && choices.one_in(10)) {
    return fail(running, ErrorKind::bad_data, "a row was refused");
  }
  const bool poisoned =
      std::ranges::any_of(running.parts, [](const auto& part) { return !part.poison.empty(); });
  if (poisoned && !running.first().last_resort) {
    return fail(running, ErrorKind::retriable, "a row meets what looks as if it passed");
  }
  auto transaction = transaction_of(running);
  if (settings_.bugs.rows_apart && !running.rows_stored) {
    running.rows_stored = true;
    auto alone = transaction;
    alone.owner = "rows alone";
    for (auto& part : alone.parts) part.task = {};
    sink.commit(alone, false);
    return;
  }
  if (running.rows_stored) {
    for (auto& part : transaction.parts) {
      part.rows.clear();
      part.dead_letters.clear();
    }
  }
  finish(running, transaction, faults);
}

void Process::doubt(const Running& running) {
  if (settings_.bugs.doubt_is_success) {
    core::TaskCommitted event{running.id(), {}};
    for (const auto& part : running.parts) event.done.push_back({part.last, 1, 10});
    return end(running, std::move(event));
  }
  if (!settings_.bugs.doubt_is_failure) {
    return fail(running, ErrorKind::in_doubt, "the reply was lost");
  }
  forgotten_doubts_.push_back(running.id());
  fail(running, ErrorKind::unavailable, "the reply was lost");
}

void Process::finish(Running& running, const Transaction& transaction, bool faults) {
  auto& sink = world_.sink;
  auto& choices = world_.choices;
  if (faults && settings_.faults.sink) {
    switch (choices.below(12)) {
      case 8:
        return fail(running, ErrorKind::retriable, "a statement failed");
      case 9:
        return fail(running, ErrorKind::unavailable, "the connection was lost");
      case 10:
        return doubt(running);  // lost before the server saw it
      case 11:
        if (!std::holds_alternative<Refused>(sink.commit(transaction))) committed(running);
        return doubt(running);  // lost afterwards
      default:
        break;
    }
  }
  if (faults && settings_.faults.ahead && choices.one_in(8)) {
    sink.commit_elsewhere(transaction);
    return choices.one_in(2) ? doubt(running)
                             : fail(running, ErrorKind::unavailable, "one of two outputs is gone");
  }
  if (faults && settings_.faults.adrift && choices.one_in(8)) {
    sink.leave(transaction);
    return doubt(running);
  }
  const bool guarded = std::ranges::count(forgotten_doubts_, running.id()) == 0;
  const auto result = sink.commit(transaction, guarded);
  if (const auto* refused = std::get_if<Refused>(&result)) {
    return end(running, core::TaskRefused{running.id(), refused->ledger, refused->task});
  }
  committed(running);
  core::TaskCommitted event{running.id(), {}};
  for (const auto& part : running.parts) {
    event.done.push_back({.last = part.last,
                          .records = part.rows.size() + part.poison.size(),
                          .bytes = 10 * part.rows.size()});
  }
  end(running, std::move(event));
}

void Process::committed(const Running& running) {
  for (const auto& part : running.parts) {
    say(fmt::format("committed {} with {} rows", to_string(part.task.range), part.rows.size()));
  }
}

/// What is skipped goes on record. That the log became another one again since the loss was seen,
/// nobody could know.
void Process::excuse_skipped(const Task& task, int generation) {
  const auto& tp = task.range.tp;
  const auto given_up = world_.evidence.given_up.find(task.time);
  bool unnoticed = false;
  if (given_up != world_.evidence.given_up.end()) {
    world_.evidence.left_out[{tp, generation}].push_back(task.range);
    // What is given up with others is not looked at.
    unnoticed = world_.sink.progress(tp) != nullptr && world_.sink.generation(tp) != generation;
  }
  const auto seen = loss_seen_in_.find(tp);
  if (!unnoticed && seen != loss_seen_in_.end() && seen->second == generation) return;
  auto& below = world_.evidence.excused[{tp, generation}];
  below = std::max(below, task.range.until);
}

void Process::fail_reading(const Running& running, Error error,
                           std::optional<core::LogBounds> bounds, bool slow) {
  const auto& range = running.parts[running.at].task.range;
  if (bounds) loss_seen_in_[range.tp] = world_.kafka.logs.at(range.tp).generation;
  error.message = fmt::format("{}: {}", to_string(range), error.message);
  end(running,
      core::TaskFailed{running.id(), std::move(error), 0.5, std::move(bounds), running.at, slow});
}

void Process::fail(const Running& running, ErrorKind kind, const char* what) {
  end(running, core::TaskFailed{running.id(),
                                {kind, Cause::sink,
                                 fmt::format("{}: {}", to_string(running.first().range), what)},
                                0.5,
                                std::nullopt});
}

void Process::end(const Running& running, core::EventBody body) {
  inbox_.push_back(std::move(body));
  const auto index = &running - running_.data();
  running_.erase(running_.begin() + index);
}

}  // namespace semel::simulation
