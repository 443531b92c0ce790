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
  driver.claim({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 20}});
  bool persisted = false;
  int started = 0;
  for (const auto& action : driver.actions) {
    if (std::holds_alternative<PersistPlan>(action)) persisted = true;
    if (std::holds_alternative<StartTask>(action)) {
      CHECK(persisted);
      ++started;
    }
  }
  CHECK(started == 2);
}

TEST_CASE("a range starts only after the one before it is committed (P6)") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 30}});
  auto tasks = driver.take<StartTask>();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].task.range == OffsetRange{p0, 0, 10});
  CHECK(driver.take<PersistPlan>().size() == 2);  // the next one is durable already

  driver.committed(tasks[0].task);
  tasks = driver.take<StartTask>();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].task.range == OffsetRange{p0, 10, 20});
  CHECK(tasks[0].task.last == RecordMark{9, 5, 6});
}

TEST_CASE("a failed batch blocks the later ones of its partition, and no other partition") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.claim({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 30}, {p1, 30}});
  auto tasks = driver.take<StartTask>();
  REQUIRE(tasks.size() == 2);
  driver.failed(tasks[0].task, ErrorKind::retriable);
  CHECK(driver.take<StartTask>().empty());
  driver.committed(tasks[1].task);
  const auto other = driver.take<StartTask>();
  REQUIRE(other.size() == 1);
  CHECK(other[0].task.range == OffsetRange{p1, 10, 20});

  driver.now = next_wake_ms(driver.state) + 10'000;
  driver.on(Tick{});
  const auto again = driver.take<StartTask>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].task.range == OffsetRange{p0, 0, 10});
}

TEST_CASE("a batch is forgotten when its last range is settled") {
  Driver driver;
  driver.claim({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.take<StartTask>();
  driver.committed(tasks[0].task);
  CHECK(driver.take<ForgetBatch>().empty());
  driver.committed(tasks[1].task);
  CHECK(driver.take<ForgetBatch>().size() == 1);
  CHECK(caught_up(driver.state));
}

TEST_CASE("a commit in doubt is looked up, never repeated or guessed (P5)") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.failed(task, ErrorKind::in_doubt);
  CHECK(driver.take<StartTask>().empty());
  REQUIRE(driver.take<SettleDoubt>().size() == 1);

  SECTION("it was committed") {
    driver.on(DoubtSettled{{task.time, p0}, driver.ledger(10, 7, "me", task.time)});
    CHECK(driver.take<ForgetBatch>().size() == 1);
    CHECK(driver.take<StartTask>().empty());
  }
  SECTION("it was not") {
    driver.on(DoubtSettled{{task.time, p0}, driver.ledger(0)});
    driver.now += 60'000;
    driver.on(Tick{});
    CHECK(driver.take<StartTask>().at(0).task.range == task.range);
  }
  SECTION("the ledger cannot be asked: it is asked again, and the task does not start") {
    driver.on(DoubtUnsettled{{task.time, p0}, {ErrorKind::unavailable, Cause::sink, "down"}, 0});
    driver.now += 60'000;
    driver.on(Tick{});
    CHECK(driver.take<StartTask>().empty());
    CHECK(driver.take<SettleDoubt>().size() == 1);
  }
}

TEST_CASE("a fenced driver stops, naming who took over") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
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
    "when the ledger went back, running tasks end first and then the output is claimed again") {
  Driver driver;
  driver.claim({at(p0, 100), at(p1, 100)});
  driver.offsets({{p0, 110}, {p1, 110}});
  const auto tasks = driver.take<StartTask>();
  driver.on(TaskRefused{{tasks[0].task.time, p0}, driver.ledger(50, 3)});
  CHECK(driver.take<TakeOver>().empty());
  driver.failed(tasks[1].task, ErrorKind::unavailable);
  CHECK(driver.take<TakeOver>().size() == 1);

  driver.claim({at(p0, 50), at(p1, 40)});
  driver.offsets({{p0, 110}, {p1, 110}});
  const auto again = driver.take<StartTask>();
  REQUIRE(again.size() == 2);
  CHECK(again[0].task.range == OffsetRange{p0, 50, 110});
  CHECK(again[1].task.range == OffsetRange{p1, 40, 110});
}

TEST_CASE("bad data is tried again carefully and at once, and does not count as a failure") {
  Driver driver({.retry = {.max_failures = 1}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
  CHECK_FALSE(task.careful);
  driver.failed(task, ErrorKind::bad_data);
  const auto again = driver.take<StartTask>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].task.careful);
}

TEST_CASE("an outage is waited out without limit, a failing range only max_failures times") {
  Driver driver({.retry = {.max_failures = 3}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  auto task = driver.take<StartTask>().at(0).task;
  const auto fail_and_wait = [&](ErrorKind kind) {
    driver.failed(task, kind);
    driver.now += 60'000;
    driver.on(Tick{});
  };
  for (int i = 0; i < 100; ++i) fail_and_wait(ErrorKind::unavailable);
  CHECK(driver.take<Finish>().empty());
  CHECK(driver.warnings().size() < 10);  // and an outage does not flood the log
  for (int i = 0; i < 3; ++i) fail_and_wait(ErrorKind::retriable);
  CHECK(finished(driver)->message.find("gave up after 3") != std::string::npos);
}

TEST_CASE("before a range is given up, whoever writes it is told that it is the last attempt") {
  Driver driver({.retry = {.max_failures = 3}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto kind = GENERATE(ErrorKind::retriable, ErrorKind::unavailable);
  std::vector<bool> last_resorts;
  for (int i = 0; i < 3; ++i) {
    const auto task = driver.take<StartTask>().at(0).task;
    CHECK(task.careful == task.last_resort);
    last_resorts.push_back(task.last_resort);
    driver.failed(task, kind);
    driver.now += 60'000;
    driver.on(Tick{});
  }
  CHECK(last_resorts == std::vector{false, false, true});
}

TEST_CASE("an outage is told once for all partitions, and so is its end") {
  Driver driver;
  driver.claim({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.take<StartTask>();
  driver.take<Notice>();
  driver.failed(tasks[0].task, ErrorKind::unavailable);
  driver.failed(tasks[1].task, ErrorKind::unavailable);
  CHECK(driver.warnings().size() == 1);
  driver.now += 60'000;
  driver.on(Tick{});
  const auto again = driver.take<StartTask>();
  REQUIRE(again.size() == 2);
  driver.take<Notice>();
  // Not over while one of them still fails.
  driver.committed(again[0].task);
  CHECK(driver.take<Notice>().empty());
  driver.committed(again[1].task);
  const auto end = driver.take<Notice>();
  REQUIRE(end.size() == 1);
  CHECK(end[0].level == NoticeLevel::info);
}

TEST_CASE("an outage is told at once, and then by time and not by tries") {
  Driver driver({.retry = {.backoff_ms_min = 10, .backoff_ms_max = 100}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto begun = driver.now;
  std::vector<std::int64_t> told;
  const auto count = [&](auto fails) {
    for (; driver.now < begun + 3'600'000; driver.now += 100) {
      fails();
      for (const auto& warning : driver.warnings()) {
        told.push_back((driver.now - begun) / 1'000);
        CHECK(warning.text.find("trying again") != std::string::npos);
      }
    }
    CHECK(told == std::vector<std::int64_t>{0, 30, 60, 120, 240, 480, 960, 1'920});
  };
  SECTION("of the database") {
    count([&] {
      driver.on(Tick{});
      for (const auto& start : driver.take<StartTask>()) {
        driver.failed(start.task, ErrorKind::unavailable);
      }
    });
  }
  SECTION("of Kafka, and its end") {
    const OffsetsFailed down{{ErrorKind::unavailable, Cause::source, "no broker"}};
    count([&] { driver.on(down); });
    driver.offsets({{p0, 10}});
    const auto end = driver.take<Notice>();
    REQUIRE_FALSE(end.empty());
    CHECK(end.back().level == NoticeLevel::info);
    CHECK(end.back().text == "Kafka answers again after an outage of 3600 s");
    driver.offsets({{p0, 10}});
    CHECK(driver.take<Notice>().empty());
  }
}

TEST_CASE("a topic that is denied while others are answered is told once") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const OffsetsFailed denied{{ErrorKind::fatal, Cause::source, "no topic d"}};
  driver.take<Notice>();
  std::size_t told = 0;
  for (int i = 0; i < 8; ++i) {
    driver.on(denied);
    driver.now += 1'000;
    driver.offsets({{p0, 10}}, false);
    for (const auto& notice : driver.take<Notice>()) {
      told += notice.level == NoticeLevel::detail ? 0 : 1;
    }
  }
  CHECK(told == 1);
}

TEST_CASE("recovered batches run first, with their time and ranges") {
  Driver driver;
  const Batch batch{{999'000}, {{.range = {p0, 0, 4}, .kind = TaskKind::load, .reason = {}}}};
  driver.claim({at(p0, 0)}, {batch});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
  CHECK(task.time == batch.time);
  CHECK(task.range == OffsetRange{p0, 0, 4});
  const auto planned = driver.take<PersistPlan>();
  REQUIRE(planned.size() == 1);
  CHECK(planned[0].batch.time > batch.time);
  CHECK(planned[0].batch.ranges[0].range == OffsetRange{p0, 4, 10});
}

TEST_CASE("planning is strictly above the ledger's highest batch time, whatever our clock says") {
  Driver driver;
  driver.on(Claimed{{.epoch = 1,
                     .progress = {at(p0, 0)},
                     .highest_batch_time = {9'000'000},
                     .cluster_id = {},
                     .previous_owner = {},
                     .notes = {}},
                    {}});
  driver.offsets({{p0, 10}});
  CHECK(driver.take<StartTask>().at(0).task.time == BatchTime{9'000'001});
}

TEST_CASE(
    "a new topic begins where the configuration says, a new partition at its earliest record") {
  Driver driver;
  driver.claim({});
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

TEST_CASE("a partition that was new during downtime begins at its earliest record") {
  Driver driver;
  driver.claim({at(p0, 3)});
  driver.offsets({{p0, 10}, {p1, 10}});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest == std::vector{p1});
}

TEST_CASE("with a pattern a topic that appeared during downtime begins at its earliest record") {
  Driver driver({.pattern = true});
  driver.claim({at(p0, 3)});
  driver.offsets({{p0, 10}, {{"other", 0}, 10}});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest ==
        std::vector<TopicPartition>{{"other", 0}});
}

TEST_CASE("once stops at the ends seen first, also when more arrives") {
  Driver driver({.once = true});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.offsets({{p0, 99}}, false);
  driver.committed(task);
  CHECK_FALSE(finished(driver));
  CHECK(driver.state.partitions.at(p0).committed == 10);
}

TEST_CASE("once with nothing to read finishes at once") {
  Driver driver({.once = true});
  driver.claim({at(p0, 10)});
  driver.offsets({{p0, 10}});
  CHECK_FALSE(finished(driver));
}

TEST_CASE("once does not take a log that is shorter than what was committed for one without news") {
  Driver driver({.once = true});
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 10}});
  CHECK(driver.take<Finish>().empty());
  driver.now += 4'000;
  driver.offsets({{p0, 10}});
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
}

TEST_CASE("stopping lets running tasks finish and starts no other") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 30}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.on(StopRequested{});
  CHECK(driver.take<Finish>().empty());
  driver.committed(task);
  CHECK(driver.take<StartTask>().empty());
  CHECK_FALSE(finished(driver));
}

TEST_CASE("stopping waits for nothing that does not move, and says what it leaves") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 30}});
  driver.take<StartTask>();
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

TEST_CASE("what fails while stopping is not said to be tried again") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 30}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.on(StopRequested{});
  driver.failed(task, ErrorKind::unavailable);
  const auto warnings = driver.warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].text ==
        "it failed; what is not committed of it is read again at the next start");
  CHECK_FALSE(finished(driver));
}

TEST_CASE("lost records stop the pipeline, or are recorded as skipped") {
  const bool skip = GENERATE(false, true);
  Driver driver({.skip_lost = skip});
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 900}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.take<PersistPlan>();
  driver.failed(task, ErrorKind::data_loss, LogBounds{500, 900, false});
  // Believed once the ledger says that the range is still ours.
  CHECK(driver.take<Finish>().empty());
  REQUIRE(driver.take<SettleDoubt>().size() == 1);
  driver.on(DoubtSettled{{task.time, p0}, driver.ledger(100)});
  if (!skip) {
    CHECK(finished(driver)->message.find("on_data_loss") != std::string::npos);
    return;
  }
  const auto lost = driver.take<StartTask>().at(0).task;
  CHECK(lost.kind == TaskKind::lost);
  CHECK(lost.range == OffsetRange{p0, 100, 500});
  CHECK(lost.reason == "it failed");
  CHECK(driver.take<PersistPlan>().size() >= 1);
  driver.committed(lost);
  const auto next = driver.take<StartTask>().at(0).task;
  CHECK(next.range == OffsetRange{p0, 500, 900});
  CHECK_FALSE(next.last);  // a record before a gap proves nothing about what is behind it
}

TEST_CASE(
    "whoever finds its range deleted after others have committed it is fenced, not at a loss") {
  Driver driver;
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 900}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.failed(task, ErrorKind::data_loss, LogBounds{500, 900, false});
  driver.on(DoubtSettled{{task.time, p0}, driver.ledger(900, 8, "other")});
  CHECK(finished(driver)->cause == Cause::fenced);
}

TEST_CASE("an idle driver notices a ledger that went back under its own epoch") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  driver.committed(driver.take<StartTask>().at(0).task);
  const OwnerSeen behind{driver.ledger(0), {at(p0, 0)}};
  driver.on(behind);
  CHECK(driver.take<TakeOver>().empty());  // an answer from before the commit
  driver.now += 20'000;
  driver.on(behind);
  CHECK(driver.take<TakeOver>().size() == 1);
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  CHECK(driver.take<StartTask>().at(0).task.range == OffsetRange{p0, 0, 10});
}

TEST_CASE("a commit that was given up for lost and arrives after all is taken over from, once") {
  Driver driver;
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 110}});
  const auto refuse = [&] {
    const auto task = driver.take<StartTask>().at(0).task;
    driver.on(TaskRefused{{task.time, p0}, driver.ledger(105)});
  };
  refuse();
  CHECK(driver.take<TakeOver>().size() == 1);
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 110}});
  refuse();
  CHECK(finished(driver)->cause == Cause::internal);
}

TEST_CASE("two partitions whose commits arrive after all are taken over from together") {
  Driver driver;
  driver.claim({at(p0, 100), at(p1, 200)});
  driver.offsets({{p0, 110}, {p1, 210}});
  const auto tasks = driver.take<StartTask>();
  REQUIRE(tasks.size() == 2);
  driver.on(TaskRefused{{tasks[0].task.time, p0}, driver.ledger(105)});
  CHECK(driver.take<TakeOver>().empty());  // the other one still runs
  driver.on(TaskRefused{{tasks[1].task.time, p1}, driver.ledger(205)});
  CHECK(driver.take<Finish>().empty());
  CHECK(driver.take<TakeOver>().size() == 1);
}

TEST_CASE("a log that stays shorter than what was committed is another log") {
  Driver driver;
  driver.claim({at(p0, 100)});
  driver.offsets({{p0, 5}});
  CHECK(driver.take<Finish>().empty());  // a new leader may lag for a moment
  driver.now += 4'000;
  driver.offsets({{p0, 5}});
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
  CHECK_THAT(error->message, Catch::Contains("clicks[0]") && Catch::Contains("100"));
}

TEST_CASE("an end that went backwards makes the next task compare the log with the ledger") {
  Driver driver;
  driver.claim({at(p0, 3)});
  driver.offsets({{p0, 3}});
  driver.offsets({{p0, 2}}, false);
  driver.offsets({{p0, 9}}, false);
  CHECK(driver.take<StartTask>().at(0).task.recheck);
}

TEST_CASE("an unreachable Kafka is an error at the start and waited out later") {
  Driver driver;
  driver.claim({at(p0, 0)});
  const OffsetsFailed down{{ErrorKind::unavailable, Cause::source, "no broker"}};
  SECTION("at the start") {
    driver.on(down);
    CHECK(driver.take<Finish>().empty());
    driver.now += 31'000;
    driver.on(down);
    CHECK(finished(driver)->cause == Cause::source);
  }
  SECTION("later") {
    driver.offsets({{p0, 0}});
    for (int i = 0; i < 50; ++i) {
      driver.on(down);
      driver.now += 31'000;
    }
    CHECK(driver.take<Finish>().empty());
  }
}

TEST_CASE("a Kafka that denies what it had is believed after a while, not after a long outage") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 0}});
  const OffsetsFailed down{{ErrorKind::unavailable, Cause::source, "no broker"}};
  const OffsetsFailed denied{{ErrorKind::fatal, Cause::source, "no such topic"}};
  driver.on(down);
  driver.now += 3'600'000;
  driver.on(down);
  driver.on(denied);  // the broker is back, its metadata is not
  CHECK(driver.take<Finish>().empty());
  SECTION("and it comes back") {
    driver.now += 9'000;
    driver.offsets({{p0, 0}});
    driver.now += 9'000;
    driver.on(denied);
    CHECK(driver.take<Finish>().empty());
  }
  SECTION("and it stays away") {
    driver.now += 10'000;
    driver.on(denied);
    CHECK(finished(driver)->message == "no such topic");
  }
}

TEST_CASE("a range that Kafka denies is given as long as a question that it denies") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto fails = [&](ErrorKind kind, const char* why) {
    const auto task = driver.take<StartTask>().at(0).task;
    driver.on(TaskFailed{{task.time, task.range.source}, {kind, Cause::source, why}, 0.0, {}});
  };
  fails(ErrorKind::fatal, "the login is refused");
  CHECK(driver.take<Finish>().empty());
  driver.now += 9'000;
  driver.on(Tick{});
  SECTION("and it comes back") {
    driver.committed(driver.take<StartTask>().at(0).task);
    driver.now += 9'000;
    driver.offsets({{p0, 20}});
    fails(ErrorKind::fatal, "the login is refused");
    CHECK(driver.take<Finish>().empty());
  }
  SECTION("and it stays away, whatever else there is") {
    fails(ErrorKind::unavailable, "no broker");
    driver.now += 1'000;
    driver.on(Tick{});
    fails(ErrorKind::fatal, "the login is refused");
    CHECK(finished(driver)->message == "the login is refused");
  }
}

TEST_CASE("the first batch is bounded by the initial rate") {
  Driver driver({.limits = {.interval_ms = 1'000, .initial_rate = 50}});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 1'000'000}});
  CHECK(driver.take<PersistPlan>().size() == 1);
  CHECK(driver.take<StartTask>().at(0).task.range.until == 50);
}

TEST_CASE("results of tasks that are not ours any more change nothing") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
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
  driver.claim({at(p0, 0), at(p1, 0)});
  OffsetsSeen seen{.partitions = std::vector{p0, p1}, .earliest = {{p0, 0}}, .latest = {{p0, 10}}};
  seen.unanswered[p1] = "no leader";
  driver.on(seen);
  auto started = driver.take<StartTask>();
  REQUIRE(started.size() == 1);
  CHECK(started[0].task.range == OffsetRange{p0, 0, 10});
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text, Catch::Contains("clicks[1]: no leader"));
  for (int i = 0; i < 10; ++i) {
    driver.now += 1'000;
    driver.on(seen);
  }
  CHECK(driver.take<Notice>().empty());

  driver.offsets({{p0, 10}, {p1, 5}}, false);
  started = driver.take<StartTask>();
  REQUIRE(started.size() == 1);
  CHECK(started[0].task.range == OffsetRange{p1, 0, 5});
  CHECK(driver.take<Notice>().size() == 1);  // that it is over
}

TEST_CASE("what is planned for a partition without a leader keeps no executor busy") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.take<StartTask>().at(0).task;
  driver.failed(task, ErrorKind::unavailable);
  OffsetsSeen seen{.partitions = {}, .earliest = {}, .latest = {}};
  seen.unanswered[p0] = "no leader";
  driver.on(seen);
  driver.now += 60'000;
  driver.on(Tick{});
  CHECK(driver.take<StartTask>().empty());
  CHECK(next_wake_ms(driver.state) > driver.now);
  driver.offsets({{p0, 10}}, false);
  CHECK(driver.take<StartTask>().size() == 1);
}

TEST_CASE("once waits for a partition that says nothing as long as a start may take") {
  Driver driver({.once = true});
  driver.claim({at(p0, 10), at(p1, 0)});
  OffsetsSeen seen{.partitions = std::vector{p0, p1}, .earliest = {}, .latest = {{p0, 10}}};
  seen.unanswered[p1] = "no leader";
  driver.on(seen);
  CHECK(driver.take<Finish>().empty());
  driver.now += 31'000;
  driver.on(seen);
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::source);
  CHECK_THAT(error->message, Catch::Contains("clicks[1]"));
}

TEST_CASE("partitions whose beginning is not known are asked about again, and hold up no other") {
  Driver driver;
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  CHECK(driver.take<StartTask>().size() == 1);
  REQUIRE(driver.take<EnterPartitions>().size() == 1);
  driver.on(EnterFailed{{p1}, {ErrorKind::unavailable, Cause::source, "no leader"}});
  CHECK(driver.take<Finish>().empty());
  driver.now += 60'000;
  driver.on(Tick{});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest == std::vector{p1});
}

TEST_CASE("a pipeline that can begin nowhere ends when a start has taken too long") {
  Driver driver;
  driver.claim({});
  driver.offsets({{p0, 10}});
  const EnterFailed failed{{p0}, {ErrorKind::unavailable, Cause::source, "no leader"}};
  driver.on(failed);
  CHECK(driver.take<Finish>().empty());
  driver.now += 31'000;
  driver.on(failed);
  CHECK(finished(driver)->message == "no leader");
}

TEST_CASE("nothing is asked where there is nothing to ask") {
  Driver driver({.pattern = true, .discovery_interval_ms = 10'000});
  driver.claim({});
  CHECK(driver.take<AskOffsets>().at(0).discover);
  driver.on(OffsetsSeen{.partitions = std::vector<TopicPartition>{}, .earliest = {}, .latest = {}});
  driver.now += 5'000;
  driver.on(Tick{});
  CHECK(driver.take<AskOffsets>().empty());
  driver.now += 6'000;
  driver.on(Tick{});
  CHECK(driver.take<AskOffsets>().at(0).discover);
}

TEST_CASE("a position that nobody committed is never taken for another log") {
  const bool skip = GENERATE(false, true);
  Driver driver({.skip_lost = skip});
  driver.claim({at(p0, 1'000)});
  driver.offsets({{p0, 10}});
  driver.now += 4'000;
  driver.offsets({{p0, 10}});
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
  CHECK_THAT(error->message, Catch::Contains("offset 1000") && Catch::Contains("ends at 10"));
}

TEST_CASE("a recovered plan ends where the log ends") {
  Driver driver;
  const Batch batch{{999'000}, {{.range = {p0, 10, 40}, .kind = TaskKind::load, .reason = {}}}};
  Progress progress = at(p0, 10);
  progress.last = RecordMark{9, 1, 2};
  driver.claim({progress}, {batch});
  CHECK(driver.take<StartTask>().empty());
  driver.offsets({{p0, 25}});
  CHECK(driver.take<ForgetBatch>().at(0).time == batch.time);
  const auto task = driver.take<StartTask>().at(0).task;
  CHECK(task.range == OffsetRange{p0, 10, 25});
  CHECK(task.time > batch.time);
  CHECK(task.recheck);
}

TEST_CASE("records that were seen and are cut off unread are lost data") {
  const bool skip = GENERATE(false, true);
  Driver driver({.limits = {.max_records_per_partition = 10}, .once = true, .skip_lost = skip});
  driver.claim({at(p0, 0)});
  driver.offsets({{p0, 30}});
  driver.committed(driver.take<StartTask>().at(0).task);
  driver.committed(driver.take<StartTask>().at(0).task);
  driver.failed(driver.take<StartTask>().at(0).task, ErrorKind::retriable);
  driver.offsets({{p0, 20}}, false);
  driver.now += 4'000;
  driver.offsets({{p0, 20}}, false);
  const auto error = finished(driver);
  CHECK(error.has_value() != skip);
  if (error) CHECK_THAT(error->message, Catch::Contains("from offset 20 to 30"));
}
