// The guard: which tasks the ledger refuses.
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

void committed_is_refused(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  same("where the ledger stands", refused(process.run(process.task(0, 10))).ledger.until, 10);
  trial.stored(offsets(0, 10));
  process.store(10, 20);
  trial.stored(offsets(0, 20));
}

void other_ranges_are_refused(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  for (const auto& [from, until] : {std::pair{5, 10}, {5, 15}, {20, 30}}) {
    const auto answer = refused(process.run(process.task(from, until)));
    same("where the ledger stands", answer.ledger.until, 10);
  }
  trial.stored(offsets(0, 10));
  same("the position", process.resolve(process.task(10, 20)).until, 10);
}

void refused_leaves_no_dead_letter(Trial& trial) {
  trial.has_bad();
  const auto bad = trial.bad({5});
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  refused(process.run(process.task(0, 10), bad));
  trial.dead({});
}

void never_entered_is_refused(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  auto task = process.task(0, 10);
  task.range.tp.partition = 77;
  same("where the ledger stands", refused(process.run(task)).ledger.until, std::nullopt);
  trial.stored({});
}

void moved_by_another_batch(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto moved = process.time;
  auto task = process.task(10, 20);
  task.moved_by = BatchTime{moved - 1};
  const auto answer = refused(process.run(task));
  same("where the ledger stands", answer.ledger.until, 10);
  same("the batch that moved it", answer.ledger.batch_time.ms, moved);
  trial.stored(offsets(0, 10));
  task.moved_by = BatchTime{moved};
  committed(process.run(task));
  trial.stored(offsets(0, 20));
}

void isolating_is_refused_first(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  auto task = process.task(0, 10);
  task.isolate = true;
  const auto answer = must(process.begin(task), "begin()");
  holds("begin() of an isolating task of a committed range is refused", answer.has_value());
  same("where the ledger stands", answer->ledger.until, 10);
  trial.dead({});
  process.store(10, 20);
}

void isolating_stores_the_same(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  auto task = process.task(0, 2'000);
  task.isolate = true;
  const auto bad = trial.bad({0, 1'000, 1'999});
  const auto counts = committed(process.run(task, bad));
  same("how many rows were counted", counts.rows, 2'000 - bad.size());
  trial.stored(good_of(offsets(0, 2'000), bad));
  trial.dead(bad);
}

void lost_range_moves(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  auto task = process.task(10, 4);
  task.kind = TaskKind::lost;
  task.reason = "the topic was created anew";
  committed(process.run(task));
  same("the position", process.resolve(task).until, 4);
  trial.stored(offsets(0, 10));
}

void lost_range_has_no_mark(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  auto task = process.task(10, 4);
  task.kind = TaskKind::lost;
  task.reason = "the topic was created anew";
  process.must_begin(task);
  committed(process.commit());
  same("the last record behind what is lost", process.take_over().progress.at(0).last,
       std::nullopt);
  same("why the ledger moved", moves_of(*trial.ledger()).back().kind, MoveKind::lost);
}

constexpr std::array of_refusal{
    Rule{"a range that was committed is refused, and nothing is stored twice", Needs::nothing,
         committed_is_refused},
    Rule{"contained, overlapping and distant ranges are refused", Needs::nothing,
         other_ranges_are_refused},
    Rule{"a range that is refused leaves no dead letter", Needs::one_fact,
         refused_leaves_no_dead_letter},
    Rule{"a partition that was never entered is refused", Needs::nothing, never_entered_is_refused},
    Rule{"a range whose partition was moved by another batch is refused", Needs::nothing,
         moved_by_another_batch},
    Rule{"an isolating task of a committed range is refused before anything is written",
         Needs::one_fact, isolating_is_refused_first},
    Rule{"an isolating task stores what a fast one would", Needs::nothing,
         isolating_stores_the_same},
    Rule{"a lost range moves the ledger, even backwards, without rows", Needs::nothing,
         lost_range_moves},
    Rule{"behind a lost range there is no record to recognise the log by", Needs::ledger,
         lost_range_has_no_mark}};

}  // namespace

std::span<const Rule> refusal_rules() {
  return of_refusal;
}

}  // namespace semel::contract
