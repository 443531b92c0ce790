#include "contract/sink_contract.hpp"

#include "contract/process.hpp"

namespace semel::contract {

namespace {

void take_over_rules(Subject& subject) {
  SECTION("the first owner finds nothing") {
    Process first(subject, "a");
    const auto taken = first.take_over();
    CHECK(taken.epoch > 0);
    CHECK(taken.progress.empty());
    CHECK(taken.previous_owner.empty());
    CHECK(taken.highest_batch_time.ms == 0);
    CHECK((taken.cluster_id.empty() || taken.cluster_id == cluster));
  }
  SECTION("a new owner raises the epoch, finds the progress, and is told who came before") {
    Process first(subject, "a");
    first.start(10);
    first.store(10, 15);
    Process second(subject, "b");
    const auto taken = second.take_over();
    CHECK(taken.epoch > first.epoch);
    CHECK(taken.previous_owner == first.owner.description);
    CHECK(taken.cluster_id == cluster);
    REQUIRE(taken.progress.size() == 1);
    CHECK(taken.progress[0].tp == tp);
    CHECK(taken.progress[0].until == 15);
    CHECK(taken.progress[0].batch_time.ms == first.time);
    CHECK(taken.progress[0].last == RecordMark{14, 1'700'000'000'014, 7});
    CHECK(taken.highest_batch_time.ms == first.time);
  }
  SECTION("the cluster recorded first stays, and an owner from another one takes nothing over") {
    Process first(subject, "a");
    first.start(10);
    auto other = subject.open(owner_named("b"));
    CHECK(must(other->take_over("cluster-b")).cluster_id == cluster);
    first.store(10, 15);
    const auto alive = must(first.sink->keep_alive());
    CHECK(alive.ledger.epoch == first.epoch);
    CHECK(alive.ledger.owner == first.owner.id);
  }
  SECTION("the same process may take over again") {
    Process first(subject, "a");
    first.start();
    const auto before = first.epoch;
    const auto taken = first.take_over();
    CHECK(taken.epoch > before);
    CHECK(taken.previous_owner.empty());
    first.store(0, 5);
    CHECK(subject.stored() == offsets(0, 5));
  }
  SECTION("pipelines do not know of each other") {
    Process first(subject, "a", "one");
    Process second(subject, "b", "two");
    first.start();
    second.start();
    first.store(0, 5);
    CHECK(second.resolve(second.task(0, 5)).until == 0);
    CHECK(must(first.sink->keep_alive()).ledger.owner == first.owner.id);
    CHECK(must(second.sink->keep_alive()).ledger.owner == second.owner.id);
  }
}

void torn_rules(Subject& subject) {
  SECTION("a position that the ledger has lost is not begun anew, until somebody says where") {
    Process first(subject, "a");
    first.start(10);
    first.store(10, 15);
    subject.lose_positions();
    auto next = subject.open(owner_named("b"));
    const auto torn = next->take_over(cluster);
    REQUIRE_FALSE(torn);
    CHECK(torn.error().kind == ErrorKind::fatal);
    CHECK(torn.error().cause == Cause::sink);
    CHECK_THAT(torn.error().message,
               Catch::Contains("not whole") && Catch::Contains("clicks:3=15"));
    CHECK(subject.stored() == offsets(10, 15));
    must(subject.ledger("pipe", "out")->set(std::vector{Progress{.tp = tp, .until = 15}}, true));
    Process second(subject, "b");
    CHECK(second.take_over().progress.at(0).until == 15);
    second.store(15, 20);
    CHECK(subject.stored() == offsets(10, 20));
  }
}

void enter_rules(Subject& subject) {
  Process first(subject, "a");
  first.start(10);
  SECTION("partitions that the ledger knows stay as they are") {
    const std::vector again{Progress{.tp = tp, .until = 99},
                            Progress{.tp = {"clicks", 4}, .until = 7}};
    const auto answer = must(first.sink->enter(again));
    const auto& entered = std::get<std::vector<Progress>>(answer);
    REQUIRE(entered.size() == 2);
    CHECK(entered[0].until == 10);
    CHECK(entered[1].until == 7);
    const auto taken = first.take_over();
    REQUIRE(taken.progress.size() == 2);
    CHECK(taken.progress[0].until == 10);
    CHECK(taken.progress[1].tp == TopicPartition{"clicks", 4});
    CHECK(taken.progress[1].until == 7);
  }
  SECTION("who has been fenced enters nothing") {
    Process second(subject, "b");
    second.take_over();
    const std::vector late{Progress{.tp = {"clicks", 4}, .until = 7}};
    auto entered = first.sink->enter(late);
    // Its session may have been ended, and it learns so by using it.
    if (!entered && entered.error().kind == ErrorKind::unavailable) {
      entered = first.sink->enter(late);
    }
    const auto answer = must(entered);
    const auto& seen = std::get<Refused>(answer).ledger;
    CHECK(seen.owner == second.owner.id);
    CHECK(seen.epoch == second.epoch);
    CHECK(seen.owner_description == second.owner.description);
    CHECK(second.take_over().progress.size() == 1);
  }
}

void commit_rules(Subject& subject) {
  Process process(subject, "a");
  process.start();
  SECTION("rows and ledger become one fact") {
    const auto counts = process.store(0, 100);
    CHECK(counts.rows == 100);
    CHECK(counts.dead_letters == 0);
    CHECK(subject.stored() == offsets(0, 100));
    CHECK(process.resolve(process.task(0, 100)).until == 100);
  }
  SECTION("ranges follow each other on one session") {
    process.store(0, 10);
    process.store(10, 11);
    process.store(11, 500);
    CHECK(subject.stored() == offsets(0, 500));
  }
  SECTION("records may come in several calls") {
    REQUIRE_FALSE(must(process.begin(process.task(0, 30))));
    must(process.write(0, 10));
    must(process.write(10, 10));
    must(process.write(10, 30));
    CHECK(committed(process.commit()).rows == 30);
    CHECK(subject.stored() == offsets(0, 30));
  }
  SECTION("a range without records moves the ledger") {
    REQUIRE_FALSE(must(process.begin(process.task(0, 50))));
    CHECK(committed(process.commit()).rows == 0);
    process.store(50, 60);
    CHECK(subject.stored() == offsets(50, 60));
  }
  SECTION("bad records are dead letters of the same fact") {
    const auto counts = process.store(0, 10, {3, 9});
    CHECK(counts.rows == 8);
    CHECK(counts.dead_letters == 2);
    std::uint64_t by_code = 0;
    for (const auto& [code, count] : counts.dead_letter_codes) by_code += count;
    CHECK(by_code <= 2);
    CHECK(subject.stored().size() == 8);
    CHECK(subject.dead() == std::vector<Offset>{3, 9});
    REQUIRE_FALSE(must(process.begin(process.task(10, 20))));
    must(process.write(10, 20, {12}));
    process.session->abort();
    CHECK(subject.dead() == std::vector<Offset>{3, 9});
  }
  SECTION("what is aborted is not there, and the session goes on") {
    REQUIRE_FALSE(must(process.begin(process.task(0, 10))));
    must(process.write(0, 10));
    process.session->abort();
    process.session->abort();
    CHECK(subject.stored().empty());
    process.store(0, 5);
    CHECK(subject.stored() == offsets(0, 5));
  }
  SECTION("what is not committed when the session goes is not there") {
    REQUIRE_FALSE(must(process.begin(process.task(0, 10))));
    must(process.write(0, 10));
    process.session.reset();
    CHECK(subject.stored().empty());
  }
}

void refusal_rules(Subject& subject) {
  Process process(subject, "a");
  process.start();
  SECTION("a range that was committed is refused, and nothing is stored twice") {
    process.store(0, 10);
    CHECK(refused(process.run(process.task(0, 10))).ledger.until == 10);
    CHECK(subject.stored() == offsets(0, 10));
    process.store(10, 20);
    CHECK(subject.stored() == offsets(0, 20));
  }
  SECTION("contained, overlapping and distant ranges are refused") {
    process.store(0, 10);
    CHECK(refused(process.run(process.task(5, 10))).ledger.until == 10);
    CHECK(refused(process.run(process.task(5, 15))).ledger.until == 10);
    CHECK(refused(process.run(process.task(20, 30))).ledger.until == 10);
    CHECK(subject.stored() == offsets(0, 10));
  }
  SECTION("a partition that was never entered is refused") {
    auto task = process.task(0, 10);
    task.range.tp.partition = 77;
    CHECK_FALSE(refused(process.run(task)).ledger.until);
    CHECK(subject.stored().empty());
  }
  SECTION("an isolating task of a committed range is refused before anything is written") {
    process.store(0, 10);
    auto task = process.task(0, 10);
    task.isolate = true;
    const auto answer = must(process.begin(task));
    REQUIRE(answer);
    CHECK(answer->ledger.until == 10);
    CHECK(subject.dead().empty());
    process.store(10, 20);
  }
  SECTION("an isolating task stores what a fast one would") {
    auto task = process.task(0, 2'000);
    task.isolate = true;
    const auto counts = committed(process.run(task, {0, 1'000, 1'999}));
    CHECK(counts.rows == 1'997);
    CHECK(subject.dead() == std::vector<Offset>{0, 1'000, 1'999});
  }
  SECTION("a lost range moves the ledger, even backwards, without rows") {
    process.store(0, 10);
    auto task = process.task(10, 4);
    task.kind = TaskKind::lost;
    task.reason = "the topic was created anew";
    committed(process.run(task));
    CHECK(process.resolve(task).until == 4);
    CHECK_FALSE(process.take_over().progress.at(0).last);
    CHECK(subject.stored() == offsets(0, 10));
  }
}

void owner_rules(Subject& subject) {
  Process first(subject, "a");
  first.start();
  first.store(0, 10);
  SECTION("a zombie's commit is refused, and its rows are not there") {
    REQUIRE_FALSE(must(first.begin(first.task(10, 20))));
    must(first.write(10, 20));
    Process second(subject, "b");
    second.take_over();
    const auto late = first.commit();
    if (late) {
      const auto answer = refused(late);
      CHECK(answer.ledger.owner == second.owner.id);
      CHECK(answer.ledger.epoch == second.epoch);
    } else {
      // A sink may have ended the zombie's session instead.
      CHECK((late.error().kind == ErrorKind::unavailable ||
             late.error().kind == ErrorKind::in_doubt));
      first.session->abort();
    }
    CHECK(subject.stored() == offsets(0, 10));
    second.store(10, 20);
    CHECK(subject.stored() == offsets(0, 20));
  }
  SECTION("who has been fenced commits nothing more, and sees by whom") {
    Process second(subject, "b");
    second.take_over();
    const auto seen = answered([&] { return first.sink->keep_alive(); }).ledger;
    CHECK(seen.owner == second.owner.id);
    CHECK(seen.epoch == second.epoch);
    CHECK(seen.owner_description == second.owner.description);
    first.session.reset();
    CHECK(refused(first.run(first.task(10, 20))).ledger.owner == second.owner.id);
    CHECK(subject.stored() == offsets(0, 10));
  }
  SECTION("an epoch alone is not enough: it repeats after a failover") {
    auto task = first.task(10, 20);
    ++task.epoch;
    CHECK(refused(first.run(task)).ledger.epoch == first.epoch);
    CHECK(subject.stored() == offsets(0, 10));
  }
  SECTION("an owner that is alive sees itself") {
    const auto seen = must(first.sink->keep_alive()).ledger;
    CHECK(seen.owner == first.owner.id);
    CHECK(seen.epoch == first.epoch);
  }
  SECTION("an owner that is alive sees where the ledger stands") {
    const auto progress = must(first.sink->keep_alive()).progress;
    REQUIRE(progress.size() == 1);
    CHECK(progress.front().until == 10);
  }
  SECTION("the ledger answers what became of a range") {
    const auto entry = first.resolve(first.task(0, 10));
    CHECK(entry.until == 10);
    CHECK(entry.epoch == first.epoch);
    CHECK(entry.owner == first.owner.id);
  }
  SECTION("an interrupted sink answers with errors") {
    first.sink->interrupt();
    CHECK_FALSE(first.begin(first.task(10, 20)));
    CHECK_FALSE(first.sink->keep_alive());
    CHECK(subject.stored() == offsets(0, 10));
  }
}

void ledger_rules(Subject& subject) {
  SECTION("a pipeline that never ran has no owner") {
    Process other(subject, "x", "other");
    other.take_over();
    const auto ledger = subject.ledger("pipe", "out");
    CHECK_FALSE(must(ledger->owner()));
    CHECK(must(ledger->progress()).empty());
    CHECK(moves_of(*ledger).empty());
    CHECK(must(ledger->dead_letters()) == 0);
  }
  SECTION("the history is one chain") {
    Process process(subject, "a");
    process.start(5);
    process.store(5, 10, {6});
    process.store(10, 30);
    process.take_over();
    process.store(30, 31);
    const auto ledger = subject.ledger("pipe", "out");
    const auto moves = moves_of(*ledger);
    REQUIRE(moves.size() == 4);
    CHECK(moves[0].kind == MoveKind::start);
    CHECK(moves[0].until == 5);
    for (std::size_t i = 1; i < moves.size(); ++i) {
      CHECK(moves[i].kind == MoveKind::commit);
      CHECK(moves[i].tp == tp);
      CHECK(moves[i].from == moves[i - 1].until);
    }
    CHECK(moves[1].rows == 4);
    CHECK(moves[1].dead_letters == 1);
    CHECK(moves.back().epoch == process.epoch);
    CHECK(must(ledger->progress()).at(0).until == moves.back().until);
    CHECK(must(ledger->dead_letters()) == 1);
    const auto counts = must(ledger->counts());
    CHECK(counts.commits == 3);
    CHECK(counts.rows == 25);
    CHECK(counts.dead_letters == 1);
    CHECK(counts.records() == 26);
    CHECK(counts.since == moves[1].committed_at);
    const auto status = must(ledger->owner());
    REQUIRE(status);
    CHECK(status->id == process.owner.id);
    CHECK(status->epoch == process.epoch);
    CHECK(status->description == process.owner.description);
    CHECK(status->cluster_id == cluster);
    CHECK(status->seen_seconds_ago < 60);
  }
  SECTION("the history and the progress given with it are of one moment") {
    Process process(subject, "a");
    process.start();
    process.store(0, 10);
    std::vector<Move> moves;
    const auto progress = must(subject.ledger("pipe", "out")->history([&](auto piece) {
      process.store(10, 20);
      moves.insert(moves.end(), piece.begin(), piece.end());
    }));
    REQUIRE(moves.size() == 2);
    REQUIRE(progress.size() == 1);
    CHECK(progress[0].until == moves.back().until);
    CHECK(subject.stored().size() == 20);
  }
}

void operator_rules(Subject& subject) {
  SECTION("trimming young rows removes nothing") {
    Process process(subject, "a");
    process.start();
    process.store(0, 10);
    must(process.sink->trim());
    CHECK(moves_of(*subject.ledger("pipe", "out")).size() == 2);
  }
  SECTION("positions of a living owner are moved by force only, and that fences it") {
    Process process(subject, "a");
    process.start();
    process.store(0, 10);
    const auto ledger = subject.ledger("pipe", "out");
    const std::vector back{Progress{.tp = tp, .until = 4}};
    const auto gently = ledger->set(back, false);
    REQUIRE_FALSE(gently);
    CHECK(gently.error().kind == ErrorKind::fatal);
    CHECK(gently.error().cause == Cause::sink);
    CHECK(must(ledger->progress()).at(0).until == 10);

    must(ledger->set(back, true));
    CHECK(must(ledger->progress()).at(0).until == 4);
    const auto moves = moves_of(*ledger);
    CHECK(moves.back().kind == MoveKind::set);
    CHECK(moves.back().from == 10);
    CHECK(moves.back().until == 4);
    CHECK(moves.back().epoch > process.epoch);
    // Also where the new position happens to fit.
    CHECK(refused(process.run(process.task(4, 10))).ledger.epoch > process.epoch);
    Process next(subject, "b");
    CHECK(next.take_over().progress.at(0).until == 4);
    next.store(4, 6);
    CHECK(moves_of(*ledger).back().from == 4);
  }
  SECTION("a reset forgets positions, not the history") {
    Process process(subject, "a");
    process.start();
    process.store(0, 10);
    const auto ledger = subject.ledger("pipe", "out");
    CHECK_FALSE(ledger->reset(false));
    must(ledger->reset(true));
    CHECK(must(ledger->progress()).empty());
    CHECK(refused(process.run(process.task(10, 20))).ledger.epoch > process.epoch);
    Process next(subject, "b");
    next.reads = "cluster-b";
    const auto taken = next.take_over();
    CHECK((taken.cluster_id.empty() || taken.cluster_id == "cluster-b"));
    CHECK(taken.progress.empty());
    CHECK(taken.highest_batch_time.ms >= process.time - 1'000);
    next.start(3);
    next.store(3, 8);
    const auto moves = moves_of(*ledger);
    REQUIRE(moves.size() >= 4);
    CHECK(moves[moves.size() - 2].kind == MoveKind::start);
    CHECK(moves[moves.size() - 2].until == 3);
    CHECK(moves.back().from == 3);
  }
}

void leaving_rules(Subject& subject) {
  SECTION("an owner that stopped in good order is not alive") {
    {
      Process process(subject, "a");
      process.start();
      process.store(0, 10);
      CHECK(must(subject.ledger("pipe", "out")->owner())->state == OwnerState::running);
      process.sink->leave(std::nullopt);
    }
    const auto ledger = subject.ledger("pipe", "out");
    CHECK(must(ledger->owner())->state == OwnerState::stopped);
    must(ledger->set(std::vector{Progress{.tp = tp, .until = 4}}, false));
    Process next(subject, "b");
    const auto taken = next.take_over();
    CHECK(taken.progress.at(0).until == 4);
    CHECK(taken.previous_owner.empty());
  }
  SECTION("an owner that failed says why, also after it was interrupted, and is not alive") {
    Process process(subject, "a");
    process.start();
    process.store(0, 10);
    process.sink->interrupt();
    process.sink->leave("the disk is full");
    const auto ledger = subject.ledger("pipe", "out");
    const auto owner = must(ledger->owner());
    CHECK(owner->state == OwnerState::failed);
    CHECK(owner->reason == "the disk is full");
    must(ledger->set(std::vector{Progress{.tp = tp, .until = 4}}, false));
    Process next(subject, "b");
    CHECK(next.take_over().previous_owner.empty());
    CHECK(must(ledger->owner())->state == OwnerState::running);
    CHECK(must(ledger->owner())->reason.empty());
    // Whoever was fenced has nothing to say any more.
    process.sink->leave("too late");
    CHECK(must(ledger->owner())->state == OwnerState::running);
  }
}

}  // namespace

void sink_contract(const std::function<std::unique_ptr<Subject>()>& make) {
  const auto subject = make();
  SECTION("taking over") {
    take_over_rules(*subject);
    torn_rules(*subject);
  }
  SECTION("entering partitions") {
    enter_rules(*subject);
  }
  SECTION("committing") {
    commit_rules(*subject);
  }
  SECTION("refusing") {
    refusal_rules(*subject);
  }
  SECTION("owning") {
    owner_rules(*subject);
  }
  SECTION("reading the ledger") {
    ledger_rules(*subject);
  }
  SECTION("operating the ledger") {
    operator_rules(*subject);
  }
  SECTION("leaving") {
    leaving_rules(*subject);
  }
}

}  // namespace semel::contract
