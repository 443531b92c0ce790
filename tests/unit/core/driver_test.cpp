// The driver's decisions, event by event.
#include "core/driver.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

TEST_CASE("a batch is durable before the first of its tasks starts (P4)") {
  Driver driver;
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 20}});
  bool persisted = false;
  std::size_t started = 0;
  for (const auto& action : driver.actions) {
    if (std::holds_alternative<PersistPlan>(action)) persisted = true;
    if (const auto* start = std::get_if<StartTasks>(&action)) {
      CHECK(persisted);
      started += start->tasks.size();
    }
  }
  CHECK(started == 2);
}

TEST_CASE("a range starts only after the one before it is committed (P6)") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 30}});
  auto tasks = driver.started();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].range == OffsetRange{p0, 0, 10});
  CHECK(driver.take<PersistPlan>().size() == 2);  // the next one is durable already

  driver.committed(tasks[0]);
  tasks = driver.started();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].range == OffsetRange{p0, 10, 20});
  CHECK(tasks[0].last == RecordMark{9, 5, 6});
}

TEST_CASE("a batch is forgotten when its last range is done") {
  Driver driver;
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  driver.committed(tasks[0]);
  CHECK(driver.take<ForgetBatch>().empty());
  driver.committed(tasks[1]);
  CHECK(driver.take<ForgetBatch>().size() == 1);
  CHECK(caught_up(driver.state));
}

TEST_CASE("a commit in doubt is looked up, never repeated or guessed (P5)") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  driver.failed(task, ErrorKind::in_doubt);
  CHECK(driver.started().empty());
  REQUIRE(driver.take<ResolveDoubt>().size() == 1);

  SECTION("it was committed") {
    driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(10, 7, "me", task.time)}});
    CHECK(driver.take<ForgetBatch>().size() == 1);
    CHECK(driver.started().empty());
  }
  SECTION("it was not") {
    driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(0)}});
    driver.now += 60'000;
    driver.on(Tick{});
    CHECK(driver.started().at(0).range == task.range);
  }
  SECTION("it was not, and what its failure said is told") {
    driver.take<Notice>();
    driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(0)}});
    CHECK_THAT(driver.take<Notice>().at(0).text,
               Catch::Contains(to_string(task.range) + ": it failed; by the ledger nothing"));
  }
  SECTION("the ledger cannot be asked: it is asked again, and the task does not start") {
    driver.on(DoubtUnresolved{{task.time, p0}, {ErrorKind::unavailable, Cause::sink, "down"}, 0});
    driver.now += 60'000;
    driver.on(Tick{});
    CHECK(driver.started().empty());
    CHECK(driver.take<ResolveDoubt>().size() == 1);
  }
}

TEST_CASE("a fenced driver stops, naming who took over") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  SECTION("told by a refused commit") {
    driver.on(TaskRefused{{task.time, p0}, driver.ledger(10, 8, "other")});
  }
  SECTION("told by a keep-alive") {
    driver.on(OwnerSeen{driver.ledger(0, 8, "other")});
  }
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::fenced);
  CHECK_THAT(error->message, Catch::Contains("otherhost, pid 5"));
}

TEST_CASE(
    "when the ledger went back, running tasks end first and then the output is taken over again") {
  Driver driver;
  driver.take_over({at(p0, 100), at(p1, 100)});
  driver.offsets({{p0, 110}, {p1, 110}});
  const auto tasks = driver.started();
  driver.on(TaskRefused{{tasks[0].time, p0}, driver.ledger(50, 3)});
  CHECK(driver.take<TakeOver>().empty());
  driver.failed(tasks[1], ErrorKind::unavailable);
  CHECK(driver.take<TakeOver>().size() == 1);

  driver.take_over({at(p0, 50), at(p1, 40)});
  driver.offsets({{p0, 110}, {p1, 110}});
  const auto again = driver.started();
  REQUIRE(again.size() == 2);
  CHECK(again[0].range == OffsetRange{p0, 50, 110});
  CHECK(again[1].range == OffsetRange{p1, 40, 110});
}

TEST_CASE("a ledger that goes back each time is waited for ever longer, and not for ever") {
  Driver driver({.retry = {.max_failures = 3, .backoff_ms_min = 100, .backoff_ms_max = 1'000}});
  driver.take_over({at(p0, 0)});
  const auto goes_back = [&] {
    // As who reads another database than the one that is written to.
    driver.on(OwnerSeen{driver.ledger(0, -1, "")});
  };
  goes_back();
  CHECK(driver.take<TakeOver>().size() == 1);
  // By the policy: half of 100 ms, half of 200 ms.
  for (const auto wait : {50, 100}) {
    driver.take_over({at(p0, 0)});
    goes_back();
    CHECK(driver.take<TakeOver>().empty());
    CHECK(next_wake_ms(driver.state) == driver.now + wait);
    driver.now += wait - 1;
    driver.on(Tick{});
    CHECK(driver.take<TakeOver>().empty());
    ++driver.now;
    driver.on(Tick{});
    CHECK(driver.take<TakeOver>().size() == 1);
  }
  driver.take_over({at(p0, 0)});
  SECTION("nothing was committed in between: it ends") {
    goes_back();
    const auto error = finished(driver);
    REQUIRE(error);
    CHECK(error->kind == ErrorKind::fatal);
    CHECK_THAT(error->message,
               Catch::Contains("went back") && Catch::Contains("Taken over again 3 times"));
  }
  SECTION("something was committed in between: it is the first time again") {
    driver.offsets({{p0, 10}});
    driver.committed(driver.started().at(0));
    goes_back();
    CHECK(driver.take<TakeOver>().size() == 1);
  }
}

TEST_CASE(
    "a new topic begins where the configuration says, a new partition at its earliest record") {
  Driver driver;
  driver.take_over({});
  driver.offsets({{p0, 10}, {p1, 10}});
  auto enter = driver.take<EnterPartitions>();
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].at_start == std::vector{p0, p1});
  driver.on(Entered{{at(p0, 10), at(p1, 10)}});

  driver.offsets({{p0, 10}, {p1, 10}, {{"clicks", 2}, 5}});
  enter = driver.take<EnterPartitions>();
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].at_start.empty());
  CHECK(enter[0].at_earliest == std::vector<TopicPartition>{{"clicks", 2}});
}

TEST_CASE("stopping lets running tasks finish and starts no other") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 30}});
  const auto task = driver.started().at(0);
  driver.on(StopRequested{});
  CHECK(driver.take<Finish>().empty());
  driver.committed(task);
  CHECK(driver.started().empty());
  CHECK_FALSE(finished(driver));
}

TEST_CASE("stopping waits for nothing that does not move, and says what it leaves") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 30}});
  driver.started();
  // Not before it was asked to stop: an outage has no end.
  driver.on(Stalled{});
  CHECK(driver.take<Finish>().empty());
  driver.on(StopRequested{});
  driver.on(Stalled{});
  const auto notices = driver.take<Notice>();
  REQUIRE_FALSE(notices.empty());
  CHECK(notices.back().level == NoticeLevel::warning);
  CHECK(notices.back().text.find("[0, 10)") != std::string::npos);
  CHECK_FALSE(finished(driver));
}

TEST_CASE(
    "whoever finds its range deleted after others have committed it is fenced, not at a loss") {
  Driver driver;
  driver.take_over({at(p0, 100)});
  driver.offsets({{p0, 900}});
  const auto task = driver.started().at(0);
  driver.failed(task, ErrorKind::data_loss, LogBounds{500, 900, false});
  driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(900, 8, "other")}});
  CHECK(finished(driver)->cause == Cause::fenced);
}

TEST_CASE("an idle driver notices a ledger that went back under its own epoch") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  driver.committed(driver.started().at(0));
  const OwnerSeen behind{driver.ledger(0), {{at(p0, 0)}}};
  driver.on(behind);
  CHECK(driver.take<TakeOver>().empty());  // an answer from before the commit
  driver.now += 20'000;
  driver.on(behind);
  CHECK(driver.take<TakeOver>().size() == 1);
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  CHECK(driver.started().at(0).range == OffsetRange{p0, 0, 10});
}

TEST_CASE("an idle driver notices a ledger that does not have its partition any more") {
  Driver driver;
  driver.take_over({at(p0, 5), at(p1, 0)});
  const OwnerSeen without{driver.ledger(5), {{at(p0, 5)}}};
  driver.on(without);
  CHECK(driver.take<TakeOver>().empty());  // an answer from before it was entered
  driver.now += 20'000;
  driver.on(OwnerSeen{driver.ledger(5), {}});  // it was not looked where it stands
  CHECK(driver.take<TakeOver>().empty());
  driver.on(without);
  CHECK(driver.take<TakeOver>().size() == 1);
}

TEST_CASE("a commit that was given up for lost and arrives after all is taken over from, once") {
  Driver driver;
  driver.take_over({at(p0, 100)});
  driver.offsets({{p0, 110}});
  const auto refuse = [&] {
    const auto task = driver.started().at(0);
    driver.on(TaskRefused{{task.time, p0}, driver.ledger(105)});
  };
  refuse();
  CHECK(driver.take<TakeOver>().size() == 1);
  driver.take_over({at(p0, 100)});
  driver.offsets({{p0, 110}});
  refuse();
  CHECK(finished(driver)->cause == Cause::internal);
}

TEST_CASE("two partitions whose commits arrive after all are taken over from together") {
  Driver driver;
  driver.take_over({at(p0, 100), at(p1, 200)});
  driver.offsets({{p0, 110}, {p1, 210}});
  const auto tasks = driver.started();
  REQUIRE(tasks.size() == 2);
  driver.on(TaskRefused{{tasks[0].time, p0}, driver.ledger(105)});
  CHECK(driver.take<TakeOver>().empty());  // the other one still runs
  driver.on(TaskRefused{{tasks[1].time, p1}, driver.ledger(205)});
  CHECK(driver.take<Finish>().empty());
  CHECK(driver.take<TakeOver>().size() == 1);
}

TEST_CASE("the first batch is bounded by the initial rate") {
  Driver driver({.limits = {.interval_ms = 1'000, .initial_rate = 50}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 1'000'000}});
  CHECK(driver.take<PersistPlan>().size() == 1);
  CHECK(driver.started().at(0).range.until == 50);
}

TEST_CASE("results of tasks that are not ours any more change nothing") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  driver.committed(task);
  const auto before = driver.state.totals.offsets;
  driver.committed(task);
  driver.failed(task, ErrorKind::fatal);
  CHECK(driver.state.totals.offsets == before);
  CHECK(driver.take<Finish>().empty());
}

TEST_CASE(
    "a partition that Kafka says nothing of keeps no other from being planned for, said once") {
  Driver driver;
  driver.take_over({at(p0, 0), at(p1, 0)});
  OffsetsSeen seen{.partitions = std::vector{p0, p1}, .earliest = {{p0, 0}}, .latest = {{p0, 10}}};
  seen.unanswered[p1] = "no leader";
  driver.on(seen);
  auto started = driver.started();
  REQUIRE(started.size() == 1);
  CHECK(started[0].range == OffsetRange{p0, 0, 10});
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text, Catch::Contains("clicks[1]: no leader"));
  for (int i = 0; i < 10; ++i) {
    driver.now += 1'000;
    driver.on(seen);
  }
  CHECK(driver.take<Notice>().empty());

  driver.offsets({{p0, 10}, {p1, 5}}, false);
  started = driver.started();
  REQUIRE(started.size() == 1);
  CHECK(started[0].range == OffsetRange{p1, 0, 5});
  CHECK(driver.take<Notice>().size() == 1);  // that it is over
}
