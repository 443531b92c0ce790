// The ledger as operators read and change it.
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

void never_ran(Trial& trial) {
  Process other(*trial.subject, "x", "other");
  other.take_over();
  const auto ledger = trial.ledger();
  holds("a pipeline that never ran has no owner", !must(ledger->owner(), "owner()"));
  same("how many partitions there are", must(ledger->progress(), "progress()").size(), 0);
  same("how many moves there are", moves_of(*ledger).size(), 0);
  same("how many dead letters there are", must(ledger->dead_letters(), "dead_letters()"), 0);
}

void history_is_a_chain(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start(5);
  const auto bad = trial.bad({6});
  process.store(5, 10, bad);
  process.store(10, 30);
  process.take_over();
  process.store(30, 31);
  const auto ledger = trial.ledger();
  const auto moves = moves_of(*ledger);
  same("how many moves there are", moves.size(), 4);
  same("the kind of the first", moves[0].kind, MoveKind::start);
  same("where it began", moves[0].until, 5);
  for (std::size_t i = 1; i < moves.size(); ++i) {
    same("the kind of a move", moves[i].kind, MoveKind::commit);
    same("its partition", moves[i].tp, tp);
    same("where it began, which is where the one before ended", moves[i].from, moves[i - 1].until);
  }
  same("the rows of the second", moves[1].rows, 5 - bad.size());
  same("its dead letters", moves[1].dead_letters, bad.size());
  same("the epoch of the last", moves.back().epoch, process.epoch);
  same("the batch of the last", moves.back().batch_time.ms, process.time);
  same("the position", must(ledger->progress(), "progress()").at(0).until, moves.back().until);
  same("how many dead letters there are", must(ledger->dead_letters(), "dead_letters()"),
       bad.size());
  const auto counts = must(ledger->counts(), "counts()");
  same("the commits that were counted", counts.commits, 3);
  same("their rows", counts.rows, 26 - bad.size());
  same("their dead letters", counts.dead_letters, bad.size());
  same("their records", counts.records(), 26);
  same("since when", counts.since, moves[1].committed_at);
}

void status_of_an_owner(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto status = must(trial.ledger()->owner(), "owner()");
  holds("a pipeline that runs has an owner", status.has_value());
  same("the owner", status->id, process.owner.id);
  same("its epoch", status->epoch, process.epoch);
  same("its description", status->description, process.owner.description);
  same("the cluster", status->cluster_id, cluster);
  holds("it was seen within the last minute", status->seen_seconds_ago < 60);
}

void history_and_progress_of_one_moment(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  std::vector<Move> moves;
  const auto progress = must(trial.ledger()->history([&](auto piece) {
    process.store(10, 20);
    moves.insert(moves.end(), piece.begin(), piece.end());
  }),
                             "history()");
  same("how many moves there are", moves.size(), 2);
  same("how many partitions there are", progress.size(), 1);
  same("the position that was read with the history", progress[0].until, moves.back().until);
  trial.stored(offsets(0, 20));
}

void young_history_stays(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  must(process.sink->trim(), "trim()");
  same("how many moves there are", moves_of(*trial.ledger()).size(), 2);
}

void set_fences(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto ledger = trial.ledger();
  const std::vector back{Progress{.tp = tp, .until = 4}};
  const auto gently = must_fail(ledger->set(back, false), "set() under a living owner");
  same("the kind of the error", gently.kind, ErrorKind::fatal);
  same("its cause", gently.cause, Cause::sink);
  same("the position", must(ledger->progress(), "progress()").at(0).until, 10);

  must(ledger->set(back, true), "set() by force");
  same("the position that was set", must(ledger->progress(), "progress()").at(0).until, 4);
  const auto moves = moves_of(*ledger);
  same("why the ledger moved", moves.back().kind, MoveKind::set);
  same("from where", moves.back().from, 10);
  same("to where", moves.back().until, 4);
  holds("set() raises the epoch", moves.back().epoch > process.epoch);
  // Also where the new position happens to fit.
  holds("the owner is told of a later epoch",
        refused(process.run(process.task(4, 10))).ledger.epoch > process.epoch);
  Process next(*trial.subject, "b");
  same("the position that the next owner finds", next.take_over().progress.at(0).until, 4);
  next.store(4, 6);
  same("where the next range began", moves_of(*ledger).back().from, 4);
}

void reset_forgets_positions(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto ledger = trial.ledger();
  must_fail(ledger->reset(false), "reset() under a living owner");
  must(ledger->reset(true), "reset() by force");
  same("how many partitions there are", must(ledger->progress(), "progress()").size(), 0);
  holds("the owner is told of a later epoch",
        refused(process.run(process.task(10, 20))).ledger.epoch > process.epoch);
  Process next(*trial.subject, "b");
  next.reads = "cluster-b";
  const auto taken = next.take_over();
  if (!taken.cluster_id.empty()) same("the cluster", taken.cluster_id, "cluster-b");
  same("how many partitions the next owner finds", taken.progress.size(), 0);
  holds("the highest batch time is still that of the history",
        taken.highest_batch_time.ms >= process.time - 1'000);
  next.start(3);
  next.store(3, 8);
  const auto moves = moves_of(*ledger);
  holds("the history is kept", moves.size() >= 4);
  same("why the ledger moved", moves[moves.size() - 2].kind, MoveKind::start);
  same("to where", moves[moves.size() - 2].until, 3);
  same("where the next range began", moves.back().from, 3);
}

constexpr std::array of_ledger{
    Rule{"a pipeline that never ran has no owner", Needs::ledger, never_ran},
    Rule{"the history is one chain", Needs::ledger, history_is_a_chain},
    Rule{"people are told who owns an output", Needs::ledger, status_of_an_owner},
    Rule{"the history and the progress given with it are of one moment", Needs::ledger,
         history_and_progress_of_one_moment},
    Rule{"trimming young rows removes nothing", Needs::ledger, young_history_stays},
    Rule{"positions of a living owner are moved by force only, and that fences it", Needs::ledger,
         set_fences},
    Rule{"a reset forgets positions, not the history", Needs::ledger, reset_forgets_positions}};

}  // namespace

std::span<const Rule> ledger_rules() {
  return of_ledger;
}

}  // namespace semel::contract
