// The ledger as operators read and change it.
#include <algorithm>
#include <array>
#include <thread>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

/// ISO 8601, UTC, to the second or finer.
bool is_moment(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() <= form.size()) return false;
  const auto fits = [](char c, char wanted) {
    return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
  };
  if (!std::ranges::equal(text.substr(0, form.size()), form, fits)) return false;
  auto rest = text.substr(form.size());
  if (rest.front() == '.')
    rest = rest.substr(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  return rest == "Z" || rest == "+00:00";
}

void must_be_moment(std::string_view what, std::string_view text) {
  if (!is_moment(text)) broken(what, "a moment like 2026-01-31T10:20:30Z", told(text));
}

/// Asks until it comes out, or hangs_after is over: what time brings.
template <class Ask>
bool comes_true(const Trial& trial, Ask ask) {
  constexpr std::chrono::milliseconds pace{20};
  const auto end = std::chrono::steady_clock::now() + trial.options.hangs_after;
  bool is_so = ask();
  while (!is_so && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(pace);
    is_so = ask();
  }
  return is_so;
}

OwnerStatus owner_of(Ledger& ledger) {
  const auto status = must(ledger.owner(), "owner()");
  holds("a pipeline that runs has an owner", status.has_value());
  return *status;
}

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
    must_be_moment("when it was committed", moves[i].committed_at);
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
  const auto status = owner_of(*trial.ledger());
  same("the owner", status.id, process.owner.id);
  same("its epoch", status.epoch, process.epoch);
  same("its description", status.description, process.owner.description);
  same("the cluster", status.cluster_id, cluster);
  must_be_moment("since when it is the owner", status.since);
  holds("it was seen within the last minute", status.seen_seconds_ago < 60);
}

void take_over_renews_since(Trial& trial) {
  Process first(*trial.subject, "a");
  first.take_over();
  const auto ledger = trial.ledger();
  const auto before = owner_of(*ledger).since;
  // Again and again: a sink's clock may know seconds only.
  const bool renewed = comes_true(trial, [&] {
    Process next(*trial.subject, "b");
    next.take_over();
    return owner_of(*ledger).since != before;
  });
  if (!renewed) broken("since when the next one is the owner", "another moment", told(before));
  must_be_moment("since when the next one is the owner", owner_of(*ledger).since);
}

void silent_owner(Trial& trial) {
  auto owner = owner_named("a");
  owner.heartbeat_ms = 1;
  const auto sink = trial.subject->open(owner);
  must(sink->take_over(cluster), "take_over()");
  const auto ledger = trial.ledger();
  const bool is_silent =
      comes_true(trial, [&] { return owner_of(*ledger).state == OwnerState::silent; });
  if (!is_silent) {
    broken("the state of an owner that was not seen for more than five heartbeats",
           told(OwnerState::silent), told(owner_of(*ledger).state));
  }
}

void counted_of_one_output(Trial& trial) {
  Process one(*trial.subject, "a", "pipe", "out");
  Process beside(*trial.subject, "b", "pipe", "other");
  Process other(*trial.subject, "c", "two", "out");
  one.start(0);
  beside.start(100);
  other.start(200);
  const auto bad = trial.bad({1, 2});
  one.store(0, 5, bad);
  beside.store(100, 107, trial.bad({101}));
  other.store(200, 211, trial.bad({201, 202, 203}));
  const auto ledger = trial.ledger();
  const auto counts = must(ledger->counts(), "counts()");
  same("the commits of an output", counts.commits, 1);
  same("its rows", counts.rows, 5 - bad.size());
  same("the dead letters of its commits", counts.dead_letters, bad.size());
  same("how many dead letters of it there are", must(ledger->dead_letters(), "dead_letters()"),
       bad.size());
  same("how many moves there are", moves_of(*ledger).size(), 2);
  same("how many partitions there are", must(ledger->progress(), "progress()").size(), 1);
}

void history_is_in_order(Trial& trial) {
  // Entered and moved in another order than that of the history, and not as text is sorted either.
  const std::vector<TopicPartition> all{{"views", 0}, {"clicks", 11}, {"clicks", 3}};
  Process process(*trial.subject, "a");
  process.take_over();
  for (Offset at = 0; const auto& one : all) {
    process.enter({{.tp = one, .until = at}});
    at += 100;
  }
  for (const Offset round : {0, 5}) {
    for (Offset at = round; const auto& one : all) {
      committed(process.run(process.tasks({{one, at, at + 5}})));
      at += 100;
    }
  }
  const auto ledger = trial.ledger();
  for (const Offset back : {102, 104}) {
    must(ledger->set(std::vector{Progress{.tp = all[1], .until = back}}, true), "set()");
  }
  std::vector<Move> moves;
  const auto progress = must(
      ledger->history([&](auto piece) { moves.insert(moves.end(), piece.begin(), piece.end()); }),
      "history()");
  same("how many moves there are", moves.size(), 3 + 6 + 2);
  must_be_in_order(moves);
  for (const auto& positions : {progress, must(ledger->progress(), "progress()")}) {
    holds("the progress is by partition", std::ranges::is_sorted(positions, {}, &Progress::tp));
  }
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

void set_behind_a_reset(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  const auto ledger = trial.ledger();
  must(ledger->reset(true), "reset()");
  // There is no position whose batch time could be taken.
  must(ledger->set(std::vector{Progress{.tp = tp, .until = 7}}, true), "set()");
  auto moves = moves_of(*ledger);
  same("why the ledger moved last", moves.back().kind, MoveKind::set);
  same("to where", moves.back().until, 7);
  Process next(*trial.subject, "b");
  same("the position that the next owner finds", next.take_over().progress.at(0).until, 7);
  next.store(7, 12);
  moves = moves_of(*ledger);
  same("where the next range began", moves.back().from, 7);
  same("where it ended", moves.back().until, 12);
}

void forgets_whole_outputs(Trial& trial) {
  const auto bad = trial.bad({4});
  Process beside(*trial.subject, "b", "pipe", "beside");
  beside.start();
  const auto ledger = trial.ledger();
  {
    Process process(*trial.subject, "a");
    process.start();
    process.store(0, 10, bad);
    must_fail(ledger->forget(), "forget() under a living owner");
    same("how many moves there are", moves_of(*ledger).size(), 2);
    process.sink->leave(std::nullopt);
  }
  must(ledger->forget(), "forget()");
  holds("an output that was forgotten has no owner", !must(ledger->owner(), "owner()"));
  same("how many partitions there are", must(ledger->progress(), "progress()").size(), 0);
  same("how many moves there are", moves_of(*ledger).size(), 0);
  same("how many dead letters there are", must(ledger->dead_letters(), "dead_letters()"), 0);
  beside.store(0, 5);
  Process next(*trial.subject, "c");
  const auto taken = next.take_over();
  same("how many partitions the next owner finds", taken.progress.size(), 0);
  same("the highest batch time", taken.highest_batch_time.ms, BatchTime{}.ms);
  next.start(3);
  next.store(3, 8);
  same("where the history begins", moves_of(*ledger).front().until, 3);
}

constexpr std::array of_ledger{
    Rule{"a pipeline that never ran has no owner", Needs::ledger, never_ran},
    Rule{"the history is one chain", Needs::ledger, history_is_a_chain},
    Rule{"people are told who owns an output", Needs::ledger, status_of_an_owner},
    Rule{"a take-over renews since when the owner owns", Needs::ledger, take_over_renews_since},
    Rule{"an owner that is not seen any more is silent", Needs::ledger, silent_owner},
    Rule{"what is told and counted is of one output", Needs::ledger, counted_of_one_output},
    Rule{"the history is by partition, then batch time, then epoch", Needs::ledger,
         history_is_in_order},
    Rule{"the history and the progress given with it are of one moment", Needs::ledger,
         history_and_progress_of_one_moment},
    Rule{"trimming young rows removes nothing", Needs::ledger, young_history_stays},
    Rule{"positions of a living owner are moved by force only, and that fences it", Needs::ledger,
         set_fences},
    Rule{"a reset forgets positions, not the history", Needs::ledger, reset_forgets_positions},
    Rule{"a position that is set behind a reset is behind the history, too", Needs::ledger,
         set_behind_a_reset},
    Rule{"an output that is forgotten is as if it had never been", Needs::forgets,
         forgets_whole_outputs}};

}  // namespace

std::span<const Rule> ledger_rules() {
  return of_ledger;
}

}  // namespace semel::contract
