// Several ranges of one batch in one transaction: all of them, or none.
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

const TopicPartition one{"clicks", 3};
const TopicPartition two{"clicks", 4};
const TopicPartition three{"views", 0};

// Offsets tell the partition, so that what is stored can be told apart.
const std::vector<OffsetRange> ranges{{one, 100, 110}, {two, 200, 205}, {three, 300, 303}};

std::vector<Offset> all_offsets() {
  std::vector<Offset> all;
  for (const auto& range : ranges) {
    for (const auto offset : offsets(range.from, range.until)) all.push_back(offset);
  }
  return all;
}

/// Owns the output; the partitions begin where the ranges do.
struct BatchProcess : Process {
  BatchProcess(Subject& s, const std::string& who) : Process(s, who) {
    take_over();
    std::vector<Progress> starts;
    for (const auto& range : ranges) {
      starts.push_back({.tp = range.tp, .until = range.from});
    }
    enter(starts);
  }

  void write_all(const std::set<Offset>& bad = {}) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      must_write(ranges[i].from, ranges[i].until, bad, i);
    }
  }

  void stands_at(const std::vector<Offset>& expected) {
    std::vector<Offset> all;
    const auto ledger = subject.ledger("pipe", "out");
    for (const auto& progress : must(ledger->progress(), "progress()")) {
      all.push_back(progress.until);
    }
    same("the positions", all, expected);
  }
};

const std::vector<Offset> at_start{100, 200, 300};
const std::vector<Offset> at_end{110, 205, 303};
const std::vector<RangeEnd> no_ends(3);

void batch_is_a_fact(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  const auto counts = all_committed(process.run(process.tasks(ranges)));
  same("how many tasks were counted", counts.size(), 3);
  same("the rows of the first", counts[0].rows, 10);
  same("the rows of the second", counts[1].rows, 5);
  same("the rows of the third", counts[2].rows, 3);
  trial.stored(all_offsets());
  const auto progress = must(trial.ledger()->progress(), "progress()");
  same("how many partitions there are", progress.size(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    same("the partition", progress[i].tp, ranges[i].tp);
    same("its position", progress[i].until, ranges[i].until);
    same("the batch that moved it", progress[i].batch_time.ms, process.time);
    holds("it has a last record", progress[i].last.has_value());
    same("its last record", progress[i].last->offset, ranges[i].until - 1);
  }
}

void history_of_a_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  all_committed(process.run(process.tasks(ranges)));
  std::size_t commits = 0;
  for (const auto& move : moves_of(*trial.ledger())) {
    if (move.kind != MoveKind::commit) continue;
    holds("the history has no more commits than there were ranges", commits < 3);
    same("the partition", move.tp, ranges[commits].tp);
    same("where it began", move.from, ranges[commits].from);
    same("where it ended", move.until, ranges[commits].until);
    same("its batch", move.batch_time.ms, process.time);
    same("its rows", move.rows, static_cast<std::uint64_t>(move.until - move.from));
    ++commits;
  }
  same("how many commits there are", commits, 3);
}

void batches_follow(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  all_committed(process.run(process.tasks(ranges)));
  committed(process.run(process.tasks({{two, 205, 207}})));
  all_committed(process.run(process.tasks({{two, 207, 208}, {three, 303, 304}})));
  process.stands_at({110, 208, 304});
  same("how many rows there are", trial.subject->stored().size(), 18 + 2 + 2);
}

void ranges_without_records(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.must_begin(process.tasks(ranges));
  process.must_write(200, 205, {}, 1);
  const auto counts = all_committed(process.in_session().commit(no_ends));
  same("the rows of the first", counts[0].rows, 0);
  same("the rows of the second", counts[1].rows, 5);
  same("the rows of the third", counts[2].rows, 0);
  process.stands_at(at_end);
  process.must_begin(process.tasks({{one, 110, 120}, {three, 303, 310}}));
  all_committed(process.in_session().commit(std::vector<RangeEnd>(2)));
  process.stands_at({120, 205, 310});
  trial.stored(offsets(200, 205));
}

void several_calls_of_a_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.must_begin(process.tasks(ranges));
  process.must_write(100, 104, {}, 0);
  process.must_write(104, 110, {}, 0);
  process.must_write(200, 205, {}, 1);
  process.must_write(300, 301, {}, 2);
  process.must_write(301, 303, {}, 2);
  const auto counts = all_committed(process.in_session().commit(no_ends));
  same("the rows of the first", counts[0].rows, 10);
  same("the rows of the third", counts[2].rows, 3);
  trial.stored(all_offsets());
}

void bad_records_of_a_batch(Trial& trial) {
  trial.has_bad();
  const auto bad = trial.bad({103, 300, 302});
  BatchProcess process(*trial.subject, "a");
  const auto counts = all_committed(process.run(process.tasks(ranges), bad));
  same("the rows of the first", counts[0].rows, 9);
  same("its dead letters", counts[0].dead_letters, 1);
  same("the dead letters of the second", counts[1].dead_letters, 0);
  same("the rows of the third", counts[2].rows, 1);
  same("its dead letters", counts[2].dead_letters, 2);
  trial.stored(good_of(all_offsets(), bad));
  trial.dead(bad);
  process.stands_at(at_end);
}

void isolating_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  auto tasks = process.tasks(ranges);
  for (auto& task : tasks) task.isolate = true;
  const auto bad = trial.bad({109, 200, 301});
  const std::uint64_t each = bad.empty() ? 0 : 1;
  const auto counts = all_committed(process.run(tasks, bad));
  same("the rows of the first", counts[0].rows, 10 - each);
  same("the rows of the second", counts[1].rows, 5 - each);
  same("the rows of the third", counts[2].rows, 3 - each);
  trial.stored(good_of(all_offsets(), bad));
  trial.dead(bad);
  process.stands_at(at_end);
}

void aborted_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.must_begin(process.tasks(ranges));
  process.write_all(trial.bad({101}));
  process.session->abort();
  trial.stored({});
  trial.dead({});
  process.stands_at(at_start);
  all_committed(process.run(process.tasks(ranges)));
  trial.stored(all_offsets());
}

void batch_of_a_session_that_goes(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.must_begin(process.tasks(ranges));
  process.write_all();
  process.session.reset();
  trial.stored({});
  process.stands_at(at_start);
}

void one_committed_refuses_all(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  committed(process.run(process.tasks({ranges[1]})));
  const auto answer = refused(process.run(process.tasks(ranges), trial.bad({102})));
  same("which task is refused", answer.task, 1);
  same("where the ledger stands", answer.ledger.until, 205);
  same("the batch that moved it", answer.ledger.batch_time.ms, process.time - 1'000);
  same("the owner", answer.ledger.owner, process.owner.id);
  trial.stored(offsets(200, 205));
  trial.dead({});
  process.stands_at({100, 205, 300});
  all_committed(process.run(process.tasks({ranges[0], ranges[2]})));
  trial.stored(all_offsets());
}

void first_or_last_refuses_all(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  committed(process.run(process.tasks({ranges[0]})));
  auto answer = refused(process.run(process.tasks(ranges)));
  same("which task is refused", answer.task, 0);
  same("where the ledger stands", answer.ledger.until, 110);
  same("which task is refused", refused(process.run(process.tasks({ranges[0], ranges[1]}))).task,
       0);
  committed(process.run(process.tasks({ranges[2]})));
  same("which of several that are refused is named, the first,",
       refused(process.run(process.tasks(ranges))).task, 0);
  same("which task is refused", refused(process.run(process.tasks({ranges[1], ranges[2]}))).task,
       1);
  process.stands_at({110, 200, 303});
}

void distant_range_refuses_all(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  auto distant = ranges;
  distant[2].from = 301;
  same("which task is refused", refused(process.run(process.tasks(distant))).task, 2);
  trial.stored({});
  process.stands_at(at_start);
}

void unknown_partition_refuses_all(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  auto unknown = ranges;
  unknown[2].tp.partition = 77;
  const auto answer = refused(process.run(process.tasks(unknown)));
  same("which task is refused", answer.task, 2);
  same("where the ledger stands", answer.ledger.until, std::nullopt);
  trial.stored({});
  process.stands_at(at_start);
}

void other_batch_refuses_all(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  auto tasks = process.tasks(ranges);
  tasks[1].moved_by = BatchTime{1};
  same("which task is refused", refused(process.run(tasks)).task, 1);
  trial.stored({});
  process.stands_at(at_start);
}

void isolating_batch_is_refused_first(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  committed(process.run(process.tasks({ranges[1]})));
  auto tasks = process.tasks(ranges);
  for (auto& task : tasks) task.isolate = true;
  const auto answer = must(process.in_session().begin(tasks), "begin()");
  holds("begin() refuses isolating tasks of which one is committed", answer.has_value());
  same("which task is refused", answer->task, 1);
  same("where the ledger stands", answer->ledger.until, 205);
  process.session->abort();
  trial.dead({});
  all_committed(process.run(process.tasks({ranges[0], ranges[2]})));
}

void zombie_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.must_begin(process.tasks(ranges));
  process.write_all();
  Process heir(*trial.subject, "b");
  heir.take_over();
  const auto late = process.session->commit(no_ends);
  if (late) {
    same("the owner", refused(late).ledger.owner, heir.owner.id);
  } else {
    // A sink may have ended the zombie's session instead.
    holds("a session that was ended is unavailable, or in doubt",
          late.error().kind == ErrorKind::unavailable || late.error().kind == ErrorKind::in_doubt);
    process.session->abort();
  }
  trial.stored({});
  process.stands_at(at_start);
  all_committed(heir.run(heir.tasks(ranges)));
  trial.stored(all_offsets());
}

void epoch_of_a_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  auto tasks = process.tasks(ranges);
  for (auto& task : tasks) ++task.epoch;
  same("the ledger's epoch", refused(process.run(tasks)).ledger.epoch, process.epoch);
  trial.stored({});
}

void ledger_answers_for_each(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  const auto tasks = process.tasks(ranges);
  const auto before = must(process.sink->resolve(tasks), "resolve()");
  same("how many entries there are", before.size(), 3);
  all_committed(process.run(tasks));
  const auto after = must(process.sink->resolve(tasks), "resolve()");
  same("how many entries there are", after.size(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    same("the position before", before[i].until, ranges[i].from);
    same("the position behind", after[i].until, ranges[i].until);
    same("the batch that moved it", after[i].batch_time, tasks[i].time);
    same("the epoch", after[i].epoch, process.epoch);
    same("the owner", after[i].owner, process.owner.id);
  }
}

void interrupted_begins_no_batch(Trial& trial) {
  BatchProcess process(*trial.subject, "a");
  process.sink->interrupt();
  must_fail(process.in_session().begin(process.tasks(ranges)), "begin() of an interrupted sink");
  process.stands_at(at_start);
}

constexpr auto fact = Needs::one_fact;
constexpr std::array of_batch{
    Rule{"the ranges of a batch become one fact, counted each on its own", fact, batch_is_a_fact},
    Rule{"the history has a row for each range of a batch", fact, history_of_a_batch},
    Rule{"batches of several and of single ranges follow each other on one session", fact,
         batches_follow},
    Rule{"ranges of a batch may have no records, or all of them none", fact,
         ranges_without_records},
    Rule{"the records of a batch's range may come in several calls", fact,
         several_calls_of_a_batch},
    Rule{"bad records are dead letters of their own range, in the same fact", fact,
         bad_records_of_a_batch},
    Rule{"isolating tasks of a batch store what fast ones would", fact, isolating_batch},
    Rule{"of a batch that is aborted nothing is there, and the session goes on", fact,
         aborted_batch},
    Rule{"of a batch whose session goes nothing is there", fact, batch_of_a_session_that_goes},
    Rule{"one range that was committed refuses its batch, and the others can go in without it",
         fact, one_committed_refuses_all},
    Rule{"it is the same for the first and the last range", fact, first_or_last_refuses_all},
    Rule{"one range that begins elsewhere refuses its batch", fact, distant_range_refuses_all},
    Rule{"one partition that was never entered refuses its batch", fact,
         unknown_partition_refuses_all},
    Rule{"one range whose partition was moved by another batch refuses its batch", fact,
         other_batch_refuses_all},
    Rule{"isolating tasks of a batch are refused before anything is written", fact,
         isolating_batch_is_refused_first},
    Rule{"a zombie's batch is refused, and nothing of it is there", fact, zombie_batch},
    Rule{"an epoch alone is not enough for a batch either", fact, epoch_of_a_batch},
    Rule{"the ledger answers for each range of a batch, in order", fact, ledger_answers_for_each},
    Rule{"an interrupted sink begins no batch", fact, interrupted_begins_no_batch}};

}  // namespace

std::span<const Rule> batch_rules() {
  return of_batch;
}

}  // namespace semel::contract
