// Taking over, and entering partitions.
#include <algorithm>
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

void declares_its_guarantee(Trial& trial) {
  const Process process(*trial.subject, "a");
  same("guarantee()", process.sink->guarantee(), trial.guarantee);
}

void first_owner_finds_nothing(Trial& trial) {
  Process first(*trial.subject, "a");
  const auto taken = first.take_over();
  holds("the epoch is above 0", taken.epoch > 0);
  same("how many partitions there are", taken.progress.size(), 0);
  same("the previous owner", taken.previous_owner, "");
  same("the highest batch time", taken.highest_batch_time.ms, 0);
  if (!taken.cluster_id.empty()) same("the cluster", taken.cluster_id, cluster);
}

void new_owner_finds_all(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start(10);
  first.store(10, 15);
  Process second(*trial.subject, "b");
  const auto taken = second.take_over();
  holds("the epoch is above that of the owner before", taken.epoch > first.epoch);
  same("the previous owner", taken.previous_owner, first.owner.description);
  same("the cluster", taken.cluster_id, cluster);
  same("how many partitions there are", taken.progress.size(), 1);
  const auto& at = taken.progress[0];
  same("the partition", at.tp, tp);
  same("its position", at.until, 15);
  same("the batch that moved it", at.batch_time.ms, first.time);
  same("its last record", at.last, RecordMark{14, 1'700'000'000'014, 7});
  same("the highest batch time", taken.highest_batch_time.ms, first.time);
}

void first_cluster_stays(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start(10);
  auto other = trial.subject->open(owner_named("b"));
  same("the cluster that another one is told of",
       must(other->take_over("cluster-b"), "take_over()").cluster_id, cluster);
  first.store(10, 15);
  const auto alive = first.keep_alive();
  same("the owner's epoch", alive.ledger.epoch, first.epoch);
  same("the owner", alive.ledger.owner, first.owner.id);
}

void same_process_again(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start();
  const auto before = first.epoch;
  const auto taken = first.take_over();
  holds("the epoch is above the one before", taken.epoch > before);
  same("the previous owner, which is this process", taken.previous_owner, "");
  first.store(0, 5);
  trial.stored(offsets(0, 5));
}

void pipelines_are_apart(Trial& trial) {
  Process first(*trial.subject, "a", "one");
  Process second(*trial.subject, "b", "two");
  first.start();
  second.start();
  first.store(0, 5);
  same("the other pipeline's position", second.resolve(second.task(0, 5)).until, 0);
  same("the first pipeline's owner", first.keep_alive().ledger.owner, first.owner.id);
  same("the other pipeline's owner", second.keep_alive().ledger.owner, second.owner.id);
}

// Both read the same partition; from elsewhere, since they may keep one row of equal records.
void outputs_are_apart(Trial& trial) {
  Process first(*trial.subject, "a", "pipe", "out");
  Process second(*trial.subject, "b", "pipe", "other");
  first.start(0);
  first.store(0, 5);
  second.start(100);
  second.store(100, 107);
  first.store(5, 10);
  trial.stored([] {
    auto all = offsets(0, 10);
    for (const auto offset : offsets(100, 107)) all.push_back(offset);
    return all;
  }());
  same("the first output's position", first.resolve(first.task(10, 11)).until, 10);
  same("the other output's position", second.resolve(second.task(107, 108)).until, 107);
  same("the first output's owner", first.keep_alive().ledger.owner, first.owner.id);
  same("the other output's owner", second.keep_alive().ledger.owner, second.owner.id);
}

// Of equal numbers, of names that differ in case, and of such as are equal when they are joined.
void topics_are_apart(Trial& trial) {
  const std::vector<TopicPartition> all{
      tp, {"views", 3}, {"Clicks", 3}, {"clicks", 11}, {"clicks1", 1}};
  Process process(*trial.subject, "a");
  process.take_over();
  std::vector<OffsetRange> ranges;
  std::vector<Progress> starts;
  std::vector<Offset> rows;
  for (Offset at = 0; const auto& one : all) {
    ranges.push_back({one, at, at + 5});
    starts.push_back({.tp = one, .until = at});
    for (const auto offset : offsets(at, at + 5)) rows.push_back(offset);
    at += 100;
  }
  process.enter(starts);
  for (const auto& range : ranges) committed(process.run(process.tasks({range})));
  trial.stored(rows);
  for (const auto& range : ranges) {
    same("the position of " + told(range.tp), process.resolve(process.tasks({range}).front()).until,
         range.until);
  }
  if (!trial.options.keeps_ledger) return;
  const auto progress = must(trial.ledger()->progress(), "progress()");
  same("how many partitions there are", progress.size(), all.size());
  for (const auto& range : ranges) {
    const auto at = std::ranges::find(progress, range.tp, &Progress::tp);
    holds("the ledger tells of " + told(range.tp), at != progress.end());
    same("the ledger's position of " + told(range.tp), at->until, range.until);
  }
}

/// Whoever takes over now is told what has to be set.
void is_told_lost(Trial& trial, std::string_view position) {
  const auto torn = must_fail(trial.subject->open(owner_named("b"))->take_over(cluster),
                              "taking over where positions are lost");
  same("the kind of the error", torn.kind, ErrorKind::fatal);
  same("its cause", torn.cause, Cause::sink);
  for (const auto part : {std::string_view("not whole"), position}) {
    if (torn.message.find(part) == std::string::npos) {
      broken("the error's message", "to say " + told(part), told(torn.message));
    }
  }
}

void lost_positions_are_told(Trial& trial) {
  {
    Process first(*trial.subject, "a");
    first.start(10);
    first.store(10, 15);
  }
  if (!trial.subject->lose_positions())
    skip("lose_positions() says that they cannot be lost alone");
  is_told_lost(trial, "clicks:3=15");
  trial.stored(offsets(10, 15));
  must(trial.ledger()->set(std::vector{Progress{.tp = tp, .until = 15}}, true), "set()");
  Process second(*trial.subject, "b");
  same("the position that was set", second.take_over().progress.at(0).until, 15);
  second.store(15, 20);
  trial.stored(offsets(10, 20));
}

void lost_behind_a_reset(Trial& trial) {
  {
    Process first(*trial.subject, "a");
    first.start();
    first.store(0, 10);
  }
  must(trial.ledger()->reset(true), "reset()");
  {
    Process second(*trial.subject, "c");
    second.start(3);
    second.store(3, 8);
  }
  if (!trial.subject->lose_positions()) {
    skip("lose_positions() says that they cannot be lost alone");
  }
  is_told_lost(trial, "clicks:3=8");
}

void known_partitions_stay(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start(10);
  const std::vector again{Progress{.tp = tp, .until = 99},
                          Progress{.tp = {"clicks", 4}, .until = 7}};
  const auto answer = must(first.sink->enter(again), "enter()");
  holds("the owner is not refused", std::holds_alternative<std::vector<Progress>>(answer));
  const auto& entered = std::get<std::vector<Progress>>(answer);
  same("how many partitions are told", entered.size(), 2);
  same("the one that was known", entered[0].until, 10);
  same("the new one", entered[1].until, 7);
  same("the position of the one that was known", first.resolve(first.task(10, 20)).until, 10);
  auto other = first.task(7, 8);
  other.range.tp.partition = 4;
  same("the position of the new one", first.resolve(other).until, 7);
}

void entered_is_kept(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start(10);
  first.enter({{.tp = {"clicks", 4}, .until = 7}});
  const auto taken = first.take_over();
  same("how many partitions there are", taken.progress.size(), 2);
  same("the first one", taken.progress[0].tp, tp);
  same("its position", taken.progress[0].until, 10);
  same("the second one", taken.progress[1].tp, TopicPartition{"clicks", 4});
  same("its position", taken.progress[1].until, 7);
}

void fenced_enters_nothing(Trial& trial) {
  Process first(*trial.subject, "a");
  first.start(10);
  Process second(*trial.subject, "b");
  second.take_over();
  const std::vector late{Progress{.tp = {"clicks", 4}, .until = 7}};
  // Its session may have been ended, and it learns so by using it.
  const auto answer = answered([&] { return first.sink->enter(late); });
  holds("who has been fenced is refused", std::holds_alternative<Refused>(answer));
  const auto& seen = std::get<Refused>(answer).ledger;
  same("the owner", seen.owner, second.owner.id);
  same("its epoch", seen.epoch, second.epoch);
  same("its description", seen.owner_description, second.owner.description);
  same("how many partitions there are", second.take_over().progress.size(), 1);
}

constexpr std::array of_take_over{
    Rule{"a sink declares the guarantee that it is held to", Needs::nothing,
         declares_its_guarantee},
    Rule{"the first owner finds nothing", Needs::nothing, first_owner_finds_nothing},
    Rule{"a new owner raises the epoch, finds the progress, and is told who came before",
         Needs::ledger, new_owner_finds_all},
    Rule{"the cluster recorded first stays, and an owner from another one takes nothing over",
         Needs::ledger, first_cluster_stays},
    Rule{"the same process may take over again", Needs::nothing, same_process_again},
    Rule{"pipelines do not know of each other", Needs::nothing, pipelines_are_apart},
    Rule{"outputs of one pipeline do not know of each other", Needs::nothing, outputs_are_apart},
    Rule{"partitions of different topics have positions of their own", Needs::nothing,
         topics_are_apart},
    Rule{"a position that the ledger has lost is not begun anew, until somebody says where",
         Needs::ledger, lost_positions_are_told},
    Rule{"a position that is lost behind a reset is lost, and not forgotten", Needs::ledger,
         lost_behind_a_reset},
    Rule{"partitions that the ledger knows stay as they are", Needs::nothing,
         known_partitions_stay},
    Rule{"partitions that were entered are there after a take-over", Needs::ledger,
         entered_is_kept},
    Rule{"who has been fenced enters nothing", Needs::ledger, fenced_enters_nothing}};

}  // namespace

std::span<const Rule> take_over_rules() {
  return of_take_over;
}

}  // namespace semel::contract
