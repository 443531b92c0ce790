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
  if (running.task.kind == TaskKind::load) {
    if (!running.reading && !begin(running)) return;
    if (running.position < running.task.range.until) {
      if (!fetch(running, faults)) return;
      if (running.position < running.task.range.until) return;
    }
  }
  commit(running, faults);
}

bool Process::begin(Running& running) {
  const auto& task = running.task;
  const auto& log = world_.kafka.logs.at(task.range.source);
  running.reading = true;
  running.position = task.range.from;
  running.last = task.last;
  running.incarnation = world_.sink.incarnation();
  running.disturbances = log.disturbances;
  running.generation = log.generation;
  const auto session = sessions_.find(task.range.source);
  const bool contiguous = session != sessions_.end() && session->second.until == task.range.from &&
                          session->second.disturbances == log.disturbances;
  if (contiguous && !task.recheck) return true;
  return same_log(running, log);
}

/// Compares the last record read with what the log has in its place.
bool Process::same_log(Running& running, const Log& log) {
  running.disturbances = log.disturbances;
  running.generation = log.generation;
  const auto mark = running.last;
  if (mark && mark->offset < running.position) {
    // The fetch finds no such offset: the log's ends are asked for, and may have moved by then.
    if (mark->offset < log.earliest || mark->offset >= log.last_stable()) {
      running.out_of_range = true;
      return false;
    }
    if (const auto* found = log.visible(mark->offset)) {
      if (found->id == mark->checksum) return true;
      fail(running, ErrorKind::data_loss, "the topic was created anew",
           core::LogBounds{log.earliest, log.last_stable(), true});
      return false;
    }
  }
  goes_on_without_evidence(running, log);
  return true;
}

void Process::goes_on_without_evidence(const Running& running, const Log& log) {
  const auto& source = running.task.range.source;
  if (world_.sink.progress(source) == nullptr || world_.sink.generation(source) == log.generation) {
    return;
  }
  auto& below = world_.evidence.excused[{source, log.generation}];
  below = std::max(below, running.position);
}

bool Process::judge_out_of_range(Running& running, const Log& log) {
  running.out_of_range = false;
  switch (core::judge_out_of_range(running.last->offset, running.position, log.earliest,
                                   log.last_stable())) {
    case core::OutOfRange::lost:
      fail(running, ErrorKind::data_loss, "out of the log",
           core::LogBounds{log.earliest, log.last_stable(), running.position > log.last_stable()});
      return false;
    case core::OutOfRange::look_again:
      return same_log(running, log);
    case core::OutOfRange::no_evidence:
      goes_on_without_evidence(running, log);
      return true;
  }
  return false;
}

bool Process::fetch(Running& running, bool faults) {
  const auto& range = running.task.range;
  const auto& log = world_.kafka.logs.at(range.source);
  if (faults && settings_.faults.source && world_.choices.one_in(12)) {
    fail(running, ErrorKind::unavailable, "the broker is gone");
    return false;
  }
  if (world_.kafka.another_cluster) {
    end(running, core::TaskFailed{{running.task.time, range.source}, another_cluster(), 0.5, {}});
    return false;
  }
  if (world_.kafka.denied) {
    end(running, core::TaskFailed{{running.task.time, range.source},
                                  {ErrorKind::fatal, Cause::source, "denied"},
                                  0.5,
                                  {}});
    return false;
  }
  if (!log.exists) {
    if (world_.choices.one_in(2)) {
      fail(running, ErrorKind::data_loss, "the topic is gone", core::LogBounds{.gone = true});
    }
    return false;
  }
  if (!log.leader) return false;
  if (running.out_of_range) {
    if (!judge_out_of_range(running, log)) return false;
  } else if (log.disturbances != running.disturbances && !same_log(running, log)) {
    return false;
  }
  const auto end = log.last_stable();
  if (running.position < log.earliest || running.position > end) {
    fail(running, ErrorKind::data_loss, "out of the log",
         core::LogBounds{log.earliest, end, running.position > end});
    return false;
  }
  for (int i = 0; i < offsets_per_fetch && running.position < range.until; ++i) {
    if (running.position >= end) {
      fail(running, ErrorKind::retriable, "the log ends below the planned end");
      return false;
    }
    if (const auto* entry = log.visible(running.position)) {
      const bool poison = settings_.faults.poison && entry->id % one_is_poison == 0;
      (poison ? running.poison : running.rows)
          .push_back({range.source, log.generation, running.position});
      running.last = RecordMark{running.position, 0, entry->id};
    }
    ++running.position;
  }
  return true;
}

void Process::commit(Running& running, bool faults) {
  const auto& task = running.task;
  auto& sink = world_.sink;
  auto& choices = world_.choices;
  const core::TaskId id{task.time, task.range.source};
  const auto& can = settings_.faults;
  if (running.reading && running.incarnation != sink.incarnation()) {
    return fail(running, ErrorKind::unavailable, "the connection is gone");
  }
  if (task.careful) {
    const auto entry = sink.entry(task.range.source);
    if (entry.until != task.range.from || entry.owner != id_ ||
        (task.moved && entry.batch_time != *task.moved)) {
      return end(running, core::TaskRefused{id, entry});
    }
  }
  if (faults && can.bad_rows && !task.careful && choices.one_in(10)) {
    return fail(running, ErrorKind::bad_data, "a row was refused");
  }
  if (!running.poison.empty() && !task.last_resort) {
    return fail(running, ErrorKind::retriable, "a row meets what looks as if it passed");
  }
  const auto generation = task.kind == TaskKind::load
                              ? running.generation
                              : world_.kafka.logs.at(task.range.source).generation;
  if (task.kind == TaskKind::lost) excuse_skipped(task, generation);
  const Transaction transaction{id_,          task,           {running.last},
                                running.rows, running.poison, generation};
  if (settings_.bugs.rows_apart && !running.rows_stored) {
    running.rows_stored = true;
    sink.commit({"rows alone", {}, {}, running.rows, running.poison, generation}, false);
    return;
  }
  auto written = transaction;
  if (running.rows_stored) {
    written.rows.clear();
    written.dead_letters.clear();
  }
  const auto doubt = [&] {
    if (settings_.bugs.doubt_is_success) {
      return end(running, core::TaskCommitted{id, {}, running.last, 1, 10});
    }
    if (!settings_.bugs.doubt_is_failure) {
      return fail(running, ErrorKind::in_doubt, "the reply was lost");
    }
    forgotten_doubts_.push_back(id);
    fail(running, ErrorKind::unavailable, "the reply was lost");
  };
  if (faults && can.sink) {
    switch (choices.below(12)) {
      case 8:
        return fail(running, ErrorKind::retriable, "a statement failed");
      case 9:
        return fail(running, ErrorKind::unavailable, "the connection was lost");
      case 10:
        return doubt();  // lost before the server saw it
      case 11:
        if (std::holds_alternative<Committed>(sink.commit(written))) committed(running);
        return doubt();  // lost afterwards
      default:
        break;
    }
  }
  if (faults && can.adrift && choices.one_in(8)) {
    sink.leave(written);
    return doubt();
  }
  const bool guarded = std::ranges::count(forgotten_doubts_, id) == 0;
  const auto result = sink.commit(written, guarded);
  if (const auto* refused = std::get_if<Refused>(&result)) {
    return end(running, core::TaskRefused{id, refused->ledger});
  }
  committed(running);
  end(running, core::TaskCommitted{.id = id,
                                   .counts = std::get<Committed>(result),
                                   .last = running.last,
                                   .records = running.rows.size() + running.poison.size(),
                                   .bytes = 10 * running.rows.size()});
}

void Process::committed(const Running& running) {
  say(fmt::format("committed {} with {} rows", to_string(running.task.range), running.rows.size()));
}

/// What is skipped goes on record. That the log became another one again since the loss was seen,
/// nobody could know.
void Process::excuse_skipped(const Task& task, int generation) {
  const auto& source = task.range.source;
  const auto seen = loss_seen_in_.find(source);
  if (seen != loss_seen_in_.end() && seen->second == generation) return;
  auto& below = world_.evidence.excused[{source, generation}];
  below = std::max(below, task.range.until);
}

void Process::fail(const Running& running, ErrorKind kind, const char* what,
                   std::optional<core::LogBounds> bounds) {
  const auto& source = running.task.range.source;
  if (bounds) loss_seen_in_[source] = world_.kafka.logs.at(source).generation;
  end(running,
      core::TaskFailed{{running.task.time, running.task.range.source},
                       {kind, kind == ErrorKind::data_loss ? Cause::data_loss : Cause::sink,
                        fmt::format("{}: {}", to_string(running.task.range), what)},
                       0.5,
                       bounds});
}

void Process::end(const Running& running, core::EventBody body) {
  inbox_.push_back(std::move(body));
  const auto index = &running - running_.data();
  running_.erase(running_.begin() + index);
}

}  // namespace semel::simulation
