// Who owns an output, who is fenced, and how an owner leaves.
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

/// Of a commit by a process that was fenced while it was writing.
void is_refused_or_ended(Process& zombie, const Process& heir, const Result<CommitResult>& late) {
  if (late) {
    const auto answer = refused(late);
    same("the owner that a zombie is told of", answer.ledger.owner, heir.owner.id);
    same("its epoch", answer.ledger.epoch, heir.epoch);
    return;
  }
  // A sink may have ended the zombie's session instead.
  const auto kind = late.error().kind;
  if (kind != ErrorKind::unavailable && kind != ErrorKind::in_doubt) {
    broken("the error of a session that was ended", "unavailable or in_doubt", told(kind));
  }
  zombie.session->abort();
}

void zombie_is_refused(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start();
  first.store(0, 10);
  first.must_begin(first.task(10, 20));
  first.must_write(10, 20);
  Process second(*trial.subject, "b");
  second.take_over();
  is_refused_or_ended(first, second, first.commit());
  trial.stored(offsets(0, 10));
  second.store(10, 20);
  trial.stored(offsets(0, 20));
}

void fenced_commits_nothing(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start();
  first.store(0, 10);
  Process second(*trial.subject, "b");
  second.take_over();
  const auto seen = first.keep_alive().ledger;
  same("the owner", seen.owner, second.owner.id);
  same("its epoch", seen.epoch, second.epoch);
  same("its description", seen.owner_description, second.owner.description);
  first.session.reset();
  same("the owner", refused(first.run(first.task(10, 20))).ledger.owner, second.owner.id);
  trial.stored(offsets(0, 10));
  const auto still = second.keep_alive().ledger;
  same("the owner, after the zombie has asked", still.owner, second.owner.id);
  same("its epoch", still.epoch, second.epoch);
}

void epoch_is_compared(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  for (const int wrong : {+1, -1}) {
    auto task = process.task(10, 20);
    task.epoch += wrong;
    same("the ledger's epoch", refused(process.run(task)).ledger.epoch, process.epoch);
  }
  trial.stored(offsets(0, 10));
}

void owner_is_compared(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start();
  first.store(0, 10);
  Process second(*trial.subject, "b");
  second.take_over();
  // It may learn so that its session was ended.
  first.keep_alive();
  first.session.reset();
  // As after a failover: its epoch was given again, to somebody else.
  auto task = first.task(10, 20);
  task.epoch = second.epoch;
  const auto answer = refused(first.run(task));
  same("the owner", answer.ledger.owner, second.owner.id);
  trial.stored(offsets(0, 10));
}

void living_owner_sees_itself(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto alive = process.keep_alive();
  same("the owner", alive.ledger.owner, process.owner.id);
  same("its epoch", alive.ledger.epoch, process.epoch);
  same("how many partitions there are", alive.progress.size(), 1);
  same("its position", alive.progress.front().until, 10);
  process.store(10, 20);
  same("its position later", process.keep_alive().progress.at(0).until, 20);
}

void ledger_answers(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  const auto task = process.task(0, 10);
  same("the position before the commit", process.resolve(task).until, 0);
  committed(process.run(task));
  const auto entry = process.resolve(task);
  same("the position behind it", entry.until, 10);
  same("the batch that moved it", entry.batch_time.ms, task.time.ms);
  same("the epoch", entry.epoch, process.epoch);
  same("the owner", entry.owner, process.owner.id);
}

void ledger_answers_with_others(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start();
  const auto task = first.task(0, 10);
  same("the position before", first.resolve(task).until, 0);
  Process second(*trial.subject, "b");
  second.take_over();
  second.store(0, 7);
  const auto entry = answered([&] { return first.sink->resolve({&task, 1}); }).at(0);
  same("the position behind what another process did", entry.until, 7);
  same("the owner", entry.owner, second.owner.id);
  same("its epoch", entry.epoch, second.epoch);
  same("its description", entry.owner_description, second.owner.description);
}

void interrupted_answers(Trial& trial) {
  // What a call that hangs must not lose.
  const auto process = std::make_shared<Process>(*trial.subject, "a");
  process->start();
  process->store(0, 10);
  process->sink->interrupt();
  InThread calls(
      [process, subject = trial.subject] {
        must_fail(process->begin(process->task(10, 20)), "begin() of an interrupted sink");
        must_fail(process->sink->keep_alive(), "keep_alive() of an interrupted sink");
      },
      trial.options.hangs_after);
  calls.end("a call of an interrupted sink");
  trial.stored(offsets(0, 10));
}

void stopped_is_not_alive(Trial& trial) {
  {
    Process process(*trial.subject, "a");
    process.start();
    process.store(0, 10);
    same("the owner's state while it runs", must(trial.ledger()->owner(), "owner()")->state,
         OwnerState::running);
    process.sink->leave(std::nullopt);
  }
  const auto ledger = trial.ledger();
  same("the owner's state after it left", must(ledger->owner(), "owner()")->state,
       OwnerState::stopped);
  must(ledger->set(std::vector{Progress{.tp = tp, .until = 4}}, false), "set() without force");
  Process next(*trial.subject, "b");
  const auto taken = next.take_over();
  same("the position that was set", taken.progress.at(0).until, 4);
  same("the previous owner, which had left", taken.previous_owner, "");
}

void failed_says_why(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  process.sink->interrupt();
  process.sink->leave("the disk is full");
  const auto ledger = trial.ledger();
  const auto owner = must(ledger->owner(), "owner()");
  same("the owner's state", owner->state, OwnerState::failed);
  same("its reason", owner->reason, "the disk is full");
  must(ledger->set(std::vector{Progress{.tp = tp, .until = 4}}, false), "set() without force");
  Process next(*trial.subject, "b");
  same("the previous owner, which had failed", next.take_over().previous_owner, "");
  same("the new owner's state", must(ledger->owner(), "owner()")->state, OwnerState::running);
  same("its reason", must(ledger->owner(), "owner()")->reason, "");
  process.sink->leave("too late");
  same("its state, after one that was fenced has left", must(ledger->owner(), "owner()")->state,
       OwnerState::running);
}

constexpr std::array of_owner{
    Rule{"a zombie's commit is refused, and its rows are not there", Needs::one_fact,
         zombie_is_refused},
    Rule{"who has been fenced commits nothing more, and sees by whom", Needs::ledger,
         fenced_commits_nothing},
    Rule{"an epoch that is not the ledger's is refused", Needs::nothing, epoch_is_compared},
    Rule{"an epoch alone is not enough: it repeats after a failover", Needs::ledger,
         owner_is_compared},
    Rule{"an owner that is alive sees itself, and where the ledger stands", Needs::nothing,
         living_owner_sees_itself},
    Rule{"the ledger answers what became of a range", Needs::nothing, ledger_answers},
    Rule{"the ledger answers with what others did since", Needs::ledger,
         ledger_answers_with_others},
    Rule{"an interrupted sink answers with errors", Needs::nothing, interrupted_answers},
    Rule{"an owner that stopped in good order is not alive", Needs::ledger, stopped_is_not_alive},
    Rule{"an owner that failed says why, also after it was interrupted, and is not alive",
         Needs::ledger, failed_says_why}};

}  // namespace

std::span<const Rule> owner_rules() {
  return of_owner;
}

}  // namespace semel::contract
