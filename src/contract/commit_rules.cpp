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

// Beyond what a statement, a buffer or a request may be limited to: in one call, and in many.
void long_ranges(Trial& trial) {
  constexpr Offset many = 10'000;
  constexpr Offset call = 1'000;
  Process process(*trial.subject, "a");
  process.start();
  same("how many rows were counted", process.store(0, many).rows, many);
  process.must_begin(process.task(many, 2 * many));
  for (Offset from = many; from < 2 * many; from += call) process.must_write(from, from + call);
  same("how many rows were counted", committed(process.commit()).rows, many);
  trial.stored(offsets(0, 2 * many));
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
  trial.stored(good_of(offsets(0, 10), bad));
  trial.dead(bad);
}

void dead_letters_are_of_the_fact(Trial& trial) {
  trial.has_bad();
  const auto bad = trial.bad({12});
  Process process(*trial.subject, "a");
  process.start(10);
  process.must_begin(process.task(10, 20));
  process.must_write(10, 20, bad);
  process.session->abort();
  trial.dead({});
  same("the position", process.resolve(process.task(10, 20)).until, 10);
}

// Looked for while the session is open: what it takes back when it ends stays where its process is
// killed instead. Many records, so that a buffer of the sink's is full before.
void written_is_not_there(Trial& trial) {
  constexpr Offset many = 5'000;
  const auto bad = trial.bad({3, many - 1});
  Process process(*trial.subject, "a");
  process.start();
  for (const bool isolate : {false, true}) {
    auto task = process.task(0, many);
    task.isolate = isolate;
    process.must_begin(task);
    process.must_write(0, many, bad);
    trial.stored({});
    trial.dead({});
    process.session->abort();
  }
  process.store(0, many, bad);
  trial.stored(good_of(offsets(0, many), bad));
  trial.dead(bad);
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
    Rule{"a range of many thousand records is stored whole", Needs::nothing, long_ranges},
    Rule{"a session that was warmed up has done nothing", Needs::nothing, warm_up_changes_nothing},
    Rule{"a range without records moves the ledger", Needs::nothing, empty_range_moves},
    Rule{"a range without records keeps the last record's mark", Needs::ledger,
         mark_of_an_empty_range},
    Rule{"bad records are dead letters, counted apart", Needs::nothing,
         bad_records_are_dead_letters},
    Rule{"dead letters of what is aborted are not there", Needs::one_fact,
         dead_letters_are_of_the_fact},
    Rule{"what is written is not there before it is committed", Needs::one_fact,
         written_is_not_there},
    Rule{"what is aborted is not there, and the session goes on", Needs::one_fact,
         aborted_is_not_there},
    Rule{"what is not committed when the session goes is not there", Needs::one_fact,
         session_that_goes}};

}  // namespace

std::span<const Rule> commit_rules() {
  return of_commit;
}

}  // namespace semel::contract
