// Ranges that share a transaction: which, when they start, and how a group comes apart.
#include <algorithm>

#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

namespace {

const TopicPartition p2{"clicks", 2};
using Groups = std::vector<StartTasks>;

/// Three partitions at 0; nothing is known of Kafka.
Driver three(CommitUnit commit, Limits limits = {}) {
  Driver driver({.limits = limits, .commit = commit, .executors = 4});
  driver.take_over({at(p0, 0), at(p1, 0), at(p2, 0)});
  return driver;
}

std::vector<TopicPartition> sources_of(const StartTasks& group) {
  std::vector<TopicPartition> tps;
  for (const auto& task : group.tasks) tps.push_back(task.range.tp);
  return tps;
}

StartTasks only(const Groups& groups) {
  REQUIRE(groups.size() == 1);
  return groups.front();
}

LedgerEntry stands(const Driver& driver, const Task& task, bool committed) {
  return committed ? driver.ledger(task.range.until, 7, "me", task.time)
                   : driver.ledger(task.range.from);
}

}  // namespace

TEST_CASE("commit = range: each range is a transaction, and partitions are dealt out") {
  auto driver = three(CommitUnit::range);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  const auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(groups[i].tasks.size() == 1);
    CHECK(groups[i].executor == i);
  }
}

TEST_CASE("commit = auto: small ranges of a batch share a transaction") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 2}, {p2, 3}});
  const auto group = only(driver.take<StartTasks>());
  CHECK(sources_of(group) == std::vector{p0, p1, p2});
  CHECK(group.executor == 0);
  CHECK(group.leave.empty());
  driver.committed(group.tasks);
  CHECK(driver.state.totals.batches == 1);
  CHECK(driver.state.totals.offsets == 6);
  CHECK(driver.take<ForgetBatch>().size() == 1);
  for (const auto& [tp, partition] : driver.state.partitions) CHECK(partition.queue.empty());
}

TEST_CASE("commit = auto: large ranges have executors of their own, small ones come back in time") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 50'000}, {p1, 50'000}, {p2, 10}});
  auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].executor != groups[1].executor);
  for (const auto& group : groups) driver.committed(group.tasks);
  // Partitions stay where they are fetched, until it has been quiet for a while.
  Offset end = 50'000;
  for (int batch = 1; batch < 16; ++batch) {
    driver.offsets({{p0, ++end}, {p1, end}, {p2, 10}});
    groups = driver.take<StartTasks>();
    CHECK(groups.size() == 2);
    for (const auto& group : groups) {
      CHECK(group.leave.empty());
      driver.committed(group.tasks);
    }
  }
  driver.offsets({{p0, ++end}, {p1, end}, {p2, 11}});
  const auto group = only(driver.take<StartTasks>());
  CHECK(group.tasks.size() == 3);
  CHECK(group.executor == 0);
  using Leave = std::vector<std::pair<TopicPartition, std::size_t>>;
  CHECK(group.leave == Leave{{p1, 1}, {p2, 2}});
}

TEST_CASE("commit = auto: more than one transaction is for is several") {
  Driver driver({.commit = CommitUnit::automatic, .executors = 2});
  std::vector<Progress> progress;
  std::map<TopicPartition, Offset> ends;
  for (int partition = 0; partition < 100; ++partition) {
    progress.push_back(at({"many", partition}, 0));
    ends[{"many", partition}] = 400;
  }
  driver.take_over(progress);
  driver.offsets(ends);
  std::size_t ranges = 0;
  for (const auto& group : driver.take<StartTasks>()) {
    CHECK(group.tasks.size() <= 10);
    CHECK(group.executor < 2);
    ranges += group.tasks.size();
  }
  CHECK(ranges == 100);
}

TEST_CASE("commit = auto: a refused row is looked for in each range, and the others share again") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::bad_data);
  auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 3);
  for (const auto& group : groups) {
    CHECK_FALSE(group.tasks.front().isolate);  // whose it is, is not known
    CHECK(group.executor != 0);
  }
  driver.failed(groups[1].tasks, ErrorKind::bad_data);
  const auto isolate = only(driver.take<StartTasks>());
  CHECK(isolate.tasks.front().isolate);
  CHECK(isolate.tasks.front().range.tp == p1);
  driver.committed(groups[0].tasks);
  driver.committed(groups[2].tasks);
  driver.committed(isolate.tasks);
  CHECK(driver.state.totals.retries.empty());  // a row's fault is nobody's failure
  // Where one was bad, another may follow: it does not spoil it for the others.
  driver.offsets({{p0, 2}, {p1, 2}, {p2, 2}});
  groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 2);
  CHECK(sources_of(groups[0]) == std::vector{p1});
  CHECK(sources_of(groups[1]) == std::vector{p0, p2});
}

TEST_CASE("commit = auto: a range whose records cannot be read goes on alone") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  const auto group = only(driver.take<StartTasks>());
  TaskFailed event{Driver::id_of(group.tasks),
                   {ErrorKind::unavailable, Cause::source, "no leader"},
                   0.0,
                   std::nullopt,
                   1};
  SECTION("it failed") {
    driver.on(event);
    const auto others = only(driver.take<StartTasks>());
    CHECK(sources_of(others) == std::vector{p0, p2});
    CHECK(driver.state.partitions.at(p0).queue.front().failures == 0);
    CHECK(driver.state.partitions.at(p1).queue.front().failures == 1);
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    CHECK(sources_of(only(driver.take<StartTasks>())) == std::vector{p1});
  }
  SECTION("it only kept the others waiting") {
    event.slow = true;
    driver.on(event);
    const auto groups = driver.take<StartTasks>();
    REQUIRE(groups.size() == 2);
    CHECK(sources_of(groups[0]) == std::vector{p1});
    CHECK(groups[0].executor != groups[1].executor);
    CHECK(driver.state.totals.retries.empty());
  }
  SECTION("they are gone: the ledger is asked about that range alone") {
    event.error.kind = ErrorKind::data_loss;
    event.bounds = LogBounds{5, 9, false};
    driver.on(event);
    CHECK(sources_of(only(driver.take<StartTasks>())) == std::vector{p0, p2});
    const auto doubts = driver.take<ResolveDoubt>();
    REQUIRE(doubts.size() == 1);
    REQUIRE(doubts[0].tasks.size() == 1);
    CHECK(doubts[0].tasks[0].range.tp == p1);
  }
}

TEST_CASE("a transaction that fails is one failure of all its ranges, told once") {
  for (const auto unit : {CommitUnit::automatic, CommitUnit::batch}) {
    auto driver = three(unit);
    driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
    driver.take<Notice>();
    driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::retriable);
    CHECK(driver.warnings().size() == 1);
    CHECK(driver.state.totals.retries ==
          std::map<ErrorKind, std::uint64_t>{{ErrorKind::retriable, 1}});
    CHECK(driver.take<StartTasks>().empty());
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    // It may be one's fault; where results are one fact, that makes no difference.
    CHECK(driver.take<StartTasks>().size() == (unit == CommitUnit::batch ? 1 : 3));
  }
}

TEST_CASE("commit = auto: only a range that failed often itself is at its last resort") {
  Driver driver({.retry = {.max_failures = 3}, .commit = CommitUnit::automatic});
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 1}, {p1, 0}});
  const auto first = only(driver.take<StartTasks>());
  driver.offsets({{p0, 2}, {p1, 1}});
  driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::unavailable);  // p1
  driver.now = next_wake_ms(driver.state) + 10'000;
  driver.committed(first.tasks);
  const auto both = only(driver.take<StartTasks>());
  REQUIRE(sources_of(both) == std::vector{p0, p1});
  driver.failed(both.tasks, ErrorKind::retriable);
  driver.now = next_wake_ms(driver.state) + 10'000;
  driver.on(Tick{});
  const auto again = driver.started();
  REQUIRE(again.size() == 2);
  for (const auto& task : again) {
    INFO(to_string(task.range));
    CHECK(task.last_resort == (task.range.tp == p1));
    CHECK(task.isolate == (task.range.tp == p1));
  }
}

TEST_CASE("a sink that is away does not part ranges that share a transaction") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::unavailable);
  driver.now = next_wake_ms(driver.state) + 10'000;
  driver.on(Tick{});
  CHECK(only(driver.take<StartTasks>()).tasks.size() == 3);
}

TEST_CASE("a transaction in doubt is resolved by what the ledger says of each range (P5)") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  const auto group = only(driver.take<StartTasks>());
  driver.failed(group.tasks, ErrorKind::in_doubt);
  const auto doubts = driver.take<ResolveDoubt>();
  REQUIRE(doubts.size() == 1);
  REQUIRE(doubts[0].tasks.size() == 3);
  const auto resolve = [&](std::vector<bool> committed) {
    DoubtResolved event{Driver::id_of(group.tasks), {}};
    for (std::size_t i = 0; i < 3; ++i) {
      event.ledger.push_back(stands(driver, group.tasks[i], committed[i]));
    }
    driver.on(std::move(event));
  };
  SECTION("committed") {
    resolve({true, true, true});
    CHECK(driver.state.totals.uncounted == 3);
    CHECK(driver.take<ForgetBatch>().size() == 1);
  }
  SECTION("not committed") {
    resolve({false, false, false});
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    CHECK(driver.started().size() == 3);
  }
  SECTION(
      "some of them: no schedule leaves that, so the ledger is taken over, and then it is a bug") {
    resolve({true, false, true});
    CHECK(driver.take<TakeOver>().size() == 1);
    driver.take_over({at(p0, 0), at(p1, 0), at(p2, 0)});
    driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
    const auto again = only(driver.take<StartTasks>());
    driver.failed(again.tasks, ErrorKind::in_doubt);
    driver.on(
        DoubtResolved{Driver::id_of(again.tasks),
                      {stands(driver, again.tasks[0], true), stands(driver, again.tasks[1], false),
                       stands(driver, again.tasks[2], true)}});
    CHECK(finished(driver)->cause == Cause::internal);
  }
  SECTION("some of them, after one that was given up for lost has arrived") {
    resolve({false, false, false});
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::in_doubt);
    resolve({false, true, false});
    CHECK(driver.state.partitions.at(p1).committed == 1);
    CHECK(driver.take<TakeOver>().empty());
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    CHECK(sources_of(only(driver.take<StartTasks>())) == std::vector{p0, p2});
  }
  SECTION("fenced, whatever the others say") {
    driver.on(DoubtResolved{Driver::id_of(group.tasks),
                            {stands(driver, group.tasks[0], true), driver.ledger(1, 8, "other"),
                             stands(driver, group.tasks[2], false)}});
    CHECK(finished(driver)->cause == Cause::fenced);
  }
  SECTION("the ledger cannot be asked: the group stays in doubt, whole") {
    driver.on(DoubtUnresolved{
        Driver::id_of(group.tasks), {ErrorKind::unavailable, Cause::sink, "down"}, 0});
    driver.now = next_wake_ms(driver.state) + 10'000;
    driver.on(Tick{});
    CHECK(driver.take<ResolveDoubt>().at(0).tasks.size() == 3);
    CHECK(driver.take<StartTasks>().empty());
  }
}

TEST_CASE("a refused range is done for itself, and the others go on without it") {
  auto driver = three(CommitUnit::automatic);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  const auto group = only(driver.take<StartTasks>());
  SECTION("it was committed before") {
    driver.on(TaskRefused{Driver::id_of(group.tasks), stands(driver, group.tasks[1], true), 1});
    CHECK(driver.state.partitions.at(p1).committed == 1);
    CHECK(sources_of(only(driver.take<StartTasks>())) == std::vector{p0, p2});
  }
  SECTION("another owner has it") {
    driver.on(TaskRefused{Driver::id_of(group.tasks), driver.ledger(0, 8, "other"), 2});
    CHECK(finished(driver)->cause == Cause::fenced);
  }
  SECTION("the ledger went back") {
    driver.on(TaskRefused{Driver::id_of(group.tasks), driver.ledger(0, 3), 0});
    CHECK(driver.take<TakeOver>().size() == 1);
    CHECK(driver.take<StartTasks>().empty());
  }
}

TEST_CASE("commit = batch: a batch starts when all its ranges may, as one") {
  auto driver = three(CommitUnit::batch, {.max_records_per_partition = 50'000});
  driver.offsets({{p0, 100'000}, {p1, 1}, {p2, 1}});
  const auto first = only(driver.take<StartTasks>());
  CHECK(first.tasks.size() == 3);
  // The second batch has a range of one partition, behind the first.
  driver.offsets({{p0, 100'000}, {p1, 2}, {p2, 1}});
  CHECK(driver.take<StartTasks>().empty());
  driver.committed(first.tasks);
  std::vector<std::vector<TopicPartition>> next;
  for (const auto& group : driver.take<StartTasks>()) {
    CHECK(group.executor == 0);
    next.push_back(sources_of(group));
  }
  REQUIRE_FALSE(next.empty());
  CHECK(next.front() == std::vector{p0});
}

TEST_CASE("commit = batch: a batch waits for a range that cannot be read yet") {
  auto driver = three(CommitUnit::batch);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  const auto group = only(driver.take<StartTasks>());
  driver.on(TaskFailed{Driver::id_of(group.tasks),
                       {ErrorKind::unavailable, Cause::source, "no leader"},
                       0.0,
                       std::nullopt,
                       2});
  CHECK(driver.take<StartTasks>().empty());
  const auto wake = next_wake_ms(driver.state);
  CHECK(wake >= driver.now);
  driver.now = wake + 10'000;
  driver.on(Tick{});
  CHECK(only(driver.take<StartTasks>()).tasks.size() == 3);
}

TEST_CASE("commit = batch: bad rows are looked for in the whole batch, as one fact") {
  auto driver = three(CommitUnit::batch);
  driver.offsets({{p0, 1}, {p1, 1}, {p2, 1}});
  driver.failed(only(driver.take<StartTasks>()).tasks, ErrorKind::bad_data);
  const auto isolate = only(driver.take<StartTasks>());
  REQUIRE(isolate.tasks.size() == 3);
  CHECK(std::ranges::all_of(isolate.tasks, &Task::isolate));
  driver.committed(isolate.tasks);
  CHECK(driver.state.totals.offsets == 3);
}

TEST_CASE("commit = batch: a recovered batch that the ledger has gone past is planned anew") {
  // Of its batch time the ledger has another transaction already: an owner that was fenced planned
  // the same time, or another setting was in force and a part of it was committed.
  for (const auto unit : {CommitUnit::batch, CommitUnit::automatic}) {
    Driver driver({.commit = unit});
    const Batch batch{{1'000},
                      {{{p0, 0, 5}, TaskKind::load, {}},
                       {{p1, 0, 5}, TaskKind::load, {}},
                       {{p2, 0, 5}, TaskKind::load, {}}}};
    driver.take_over({at(p0, 0), {p1, 5, {1'000}, {}}, at(p2, 0)}, {batch}, {1'000});
    driver.offsets({{p0, 5}, {p1, 5}, {p2, 5}});
    const auto rest = only(driver.take<StartTasks>());
    CHECK(sources_of(rest) == std::vector{p0, p2});
    const bool anew = unit == CommitUnit::batch;
    CHECK((rest.tasks.front().time > BatchTime{1'000}) == anew);
    CHECK(driver.take<ForgetBatch>().size() == (anew ? 1 : 0));
  }
}

TEST_CASE("commit = batch: a recovered batch that nothing is committed of keeps time and ranges") {
  Driver driver({.commit = CommitUnit::batch});
  const Batch batch{{1'000}, {{{p0, 0, 5}, TaskKind::load, {}}, {{p1, 0, 5}, TaskKind::load, {}}}};
  driver.take_over({at(p0, 0), at(p1, 0), {p2, 5, {999}, {}}}, {batch}, {999});
  driver.offsets({{p0, 9}, {p1, 9}, {p2, 5}});
  const auto group = only(driver.take<StartTasks>());
  REQUIRE(sources_of(group) == std::vector{p0, p1});
  CHECK(group.tasks.front().time == BatchTime{1'000});
  CHECK(group.tasks.front().range.until == 5);
}
