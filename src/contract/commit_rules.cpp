// What is committed, and what is not.
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

void committed_is_stored(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  const auto counts = process.store(0, 100);
  same("how many rows were counted", counts.rows, 100);
  same("how many dead letters were counted", counts.dead_letters, 0);
  trial.stored(offsets(0, 100));
  same("the position", process.resolve(process.task(0, 100)).until, 100);
}

void ranges_follow(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  process.store(10, 11);
  process.store(11, 500);
  trial.stored(offsets(0, 500));
}

void several_calls(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.must_begin(process.task(0, 30));
  process.must_write(0, 10);
  process.must_write(10, 10);
  process.must_write(10, 30);
  same("how many rows were counted", committed(process.commit()).rows, 30);
  trial.stored(offsets(0, 30));
}

void warm_up_changes_nothing(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.in_session().warm_up();
  trial.stored({});
  process.store(0, 10);
  trial.stored(offsets(0, 10));
}

void empty_range_moves(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.must_begin(process.task(0, 50));
  same("how many rows were counted", committed(process.commit()).rows, 0);
  same("the position", process.resolve(process.task(50, 60)).until, 50);
  process.store(50, 60);
  trial.stored(offsets(50, 60));
}

void mark_of_an_empty_range(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  auto task = process.task(10, 20);
  task.last = RecordMark{9, 1'700'000'000'009, 7};
  process.must_begin(task);
  const RangeEnd end{task.last};
  committed(process.in_session().commit({&end, 1}));
  const auto at = process.take_over().progress.at(0);
  same("the position", at.until, 20);
  same("its last record", at.last, task.last);
}

void bad_records_are_dead_letters(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  const auto bad = trial.bad({3, 9});
  const auto counts = process.store(0, 10, bad);
  same("how many rows were counted", counts.rows, 10 - bad.size());
  same("how many dead letters were counted", counts.dead_letters, bad.size());
  std::uint64_t by_code = 0;
  for (const auto& [code, count] : counts.dead_letter_codes) by_code += count;
  holds("the codes are of no more dead letters than there are", by_code <= bad.size());
  std::vector<Offset> good;
  for (const auto offset : offsets(0, 10)) {
    if (!bad.contains(offset)) good.push_back(offset);
  }
  trial.stored(good);
  trial.dead(bad);
}

void dead_letters_are_of_the_fact(Trial& trial) {
  const auto bad = trial.bad({12});
  if (bad.empty()) return;
  Process process(*trial.subject, "a");
  process.start(10);
  process.must_begin(process.task(10, 20));
  process.must_write(10, 20, bad);
  process.session->abort();
  trial.dead({});
  same("the position", process.resolve(process.task(10, 20)).until, 10);
}

void aborted_is_not_there(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.must_begin(process.task(0, 10));
  process.must_write(0, 10);
  process.session->abort();
  process.session->abort();
  trial.stored({});
  same("the position", process.resolve(process.task(0, 10)).until, 0);
  process.store(0, 5);
  trial.stored(offsets(0, 5));
}

void session_that_goes(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.must_begin(process.task(0, 10));
  process.must_write(0, 10);
  process.session.reset();
  trial.stored({});
  same("the position", process.resolve(process.task(0, 10)).until, 0);
}

constexpr std::array of_commit{
    Rule{"what is committed is stored, and the ledger stands behind it", Needs::nothing,
         committed_is_stored},
    Rule{"ranges follow each other on one session", Needs::nothing, ranges_follow},
    Rule{"records may come in several calls", Needs::nothing, several_calls},
    Rule{"a session that was warmed up has done nothing", Needs::nothing, warm_up_changes_nothing},
    Rule{"a range without records moves the ledger", Needs::nothing, empty_range_moves},
    Rule{"a range without records keeps the last record's mark", Needs::ledger,
         mark_of_an_empty_range},
    Rule{"bad records are dead letters, counted apart", Needs::nothing,
         bad_records_are_dead_letters},
    Rule{"dead letters of what is aborted are not there", Needs::one_fact,
         dead_letters_are_of_the_fact},
    Rule{"what is aborted is not there, and the session goes on", Needs::one_fact,
         aborted_is_not_there},
    Rule{"what is not committed when the session goes is not there", Needs::one_fact,
         session_that_goes}};

}  // namespace

std::span<const Rule> commit_rules() {
  return of_commit;
}

}  // namespace semel::contract
