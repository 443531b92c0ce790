#include "contract/process.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace semel::contract {

Owner owner_named(const std::string& who, const std::string& pipeline, const std::string& output) {
  return {pipeline, output, who + "-0000-4000-8000-000000000000", "test process " + who};
}

std::vector<Offset> offsets(Offset from, Offset until) {
  std::vector<Offset> all(static_cast<std::size_t>(until - from));
  std::iota(all.begin(), all.end(), from);
  return all;
}

std::vector<Offset> good_of(std::vector<Offset> offsets, const std::set<Offset>& bad) {
  std::erase_if(offsets, [&](Offset offset) { return bad.contains(offset); });
  return offsets;
}

void must_be_in_order(const std::vector<Move>& moves) {
  const auto place = [](const Move& move) {
    return std::tuple(move.tp, move.batch_time, move.epoch);
  };
  const auto told_of = [](const Move& move) {
    return told(move.tp) + " of batch " + told(move.batch_time) + ", epoch " + told(move.epoch);
  };
  for (std::size_t i = 1; i < moves.size(); ++i) {
    if (place(moves[i - 1]) <= place(moves[i])) continue;
    broken("the history", "to be by partition, batch time and epoch",
           told_of(moves[i]) + " behind " + told_of(moves[i - 1]));
  }
}

std::vector<Move> moves_of(Ledger& ledger) {
  std::vector<Move> all;
  must(ledger.history([&](auto moves) { all.insert(all.end(), moves.begin(), moves.end()); }),
       "history()");
  must_be_in_order(all);
  return all;
}

std::vector<Committed> all_committed(const Result<CommitResult>& result) {
  auto outcome = must(result, "the transaction");
  if (const auto* no = std::get_if<Refused>(&outcome)) {
    broken("the transaction", "to be committed",
           "a refusal: the ledger stands at " + told(no->ledger.until) + ", and is of " +
               told(no->ledger.owner) + " under epoch " + told(no->ledger.epoch));
  }
  return std::get<std::vector<Committed>>(std::move(outcome));
}

Committed committed(const Result<CommitResult>& result) {
  auto counts = all_committed(result);
  same("how many tasks were counted", counts.size(), 1);
  return std::move(counts.front());
}

Refused refused(const Result<CommitResult>& result) {
  auto outcome = must(result, "the transaction");
  if (!std::holds_alternative<Refused>(outcome)) {
    broken("the transaction", "to be refused", "a commit");
  }
  return std::get<Refused>(std::move(outcome));
}

Process::Process(Subject& s, const std::string& who, const std::string& pipeline,
                 const std::string& output)
    : subject(s), owner(owner_named(who, pipeline, output)), sink(s.open(owner)) {}

TakenOver Process::take_over() {
  auto taken = must(sink->take_over(reads), "take_over()");
  epoch = taken.epoch;
  time = std::max(time, taken.highest_batch_time.ms);
  return taken;
}

void Process::enter(const std::vector<Progress>& starts) {
  const auto entered = must(sink->enter(starts), "enter()");
  holds("who has just taken over may enter partitions",
        std::holds_alternative<std::vector<Progress>>(entered));
}

void Process::start(Offset at) {
  take_over();
  enter({{.tp = tp, .until = at}});
}

Task Process::task(Offset from, Offset until) {
  return tasks({{tp, from, until}}).front();
}

std::vector<Task> Process::tasks(const std::vector<OffsetRange>& ranges) {
  time += 1'000;
  std::vector<Task> all;
  for (const auto& range : ranges) {
    all.push_back({.time = {time}, .range = range, .epoch = epoch});
  }
  return all;
}

SinkSession& Process::in_session() {
  if (!session) session = must(sink->open_session(), "open_session()");
  return *session;
}

Result<std::optional<Refused>> Process::begin(const Task& task) {
  return in_session().begin({&task, 1});
}

void Process::must_begin(const std::vector<Task>& tasks) {
  holds("begin() refuses no task that continues where the ledger stands",
        !must(in_session().begin(tasks), "begin()"));
}

Result<void> Process::write(Offset from, Offset until, const std::set<Offset>& bad,
                            std::size_t task) {
  std::vector<std::string> values;
  for (Offset o = from; o < until; ++o) {
    values.push_back(bad.contains(o) ? subject.bad_value().value() : subject.good_value(o));
  }
  std::vector<Record> records;
  for (Offset o = from; o < until; ++o) {
    records.push_back({.offset = o,
                       .timestamp_ms = 1'700'000'000'000 + o,
                       .value = values[static_cast<std::size_t>(o - from)]});
  }
  return in_session().write(task, records);
}

Result<CommitResult> Process::commit() {
  const RangeEnd end;
  return in_session().commit({&end, 1});
}

LedgerEntry Process::resolve(const Task& task) {
  auto entries = must(sink->resolve({&task, 1}), "resolve()");
  same("how many entries resolve() gives for one task", entries.size(), 1);
  return std::move(entries.front());
}

Result<CommitResult> Process::run(const Task& task, const std::set<Offset>& bad) {
  return run(std::vector{task}, bad);
}

Result<CommitResult> Process::run(const std::vector<Task>& tasks, const std::set<Offset>& bad) {
  auto begun = in_session().begin(tasks);
  if (!begun) return tl::unexpected(begun.error());
  if (*begun) return **begun;
  std::vector<RangeEnd> ends;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto& [task_source, from, until] = tasks[i].range;
    ends.push_back({tasks[i].last});
    if (tasks[i].kind != TaskKind::load || from >= until) continue;
    if (auto written = write(from, until, bad, i); !written) {
      return tl::unexpected(written.error());
    }
    ends.back().last = RecordMark{until - 1, 1'700'000'000'000 + until - 1, 7};
  }
  return in_session().commit(ends);
}

Committed Process::store(Offset from, Offset until, const std::set<Offset>& bad) {
  return committed(run(task(from, until), bad));
}

}  // namespace semel::contract
