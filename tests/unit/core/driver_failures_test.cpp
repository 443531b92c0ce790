// The driver's decisions where a server is away, denies, or refuses.
#include "core/driver.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

TEST_CASE("a failed batch blocks the later ones of its partition, and no other partition") {
  Driver driver({.limits = {.max_records_per_partition = 10}});
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 30}, {p1, 30}});
  auto tasks = driver.started();
  REQUIRE(tasks.size() == 2);
  driver.failed(tasks[0], ErrorKind::retriable);
  CHECK(driver.started().empty());
  driver.committed(tasks[1]);
  const auto other = driver.started();
  REQUIRE(other.size() == 1);
  CHECK(other[0].range == OffsetRange{p1, 10, 20});

  driver.now = next_wake_ms(driver.state) + 10'000;
  driver.on(Tick{});
  const auto again = driver.started();
  REQUIRE(again.size() == 1);
  CHECK(again[0].range == OffsetRange{p0, 0, 10});
}

TEST_CASE("bad data is tried again at once, isolating, and does not count as a failure") {
  Driver driver({.retry = {.max_failures = 1}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  CHECK_FALSE(task.isolate);
  driver.failed(task, ErrorKind::bad_data);
  const auto again = driver.started();
  REQUIRE(again.size() == 1);
  CHECK(again[0].isolate);
}

TEST_CASE("an outage is waited out without limit, a failing range only max_failures times") {
  Driver driver({.retry = {.max_failures = 3}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  auto task = driver.started().at(0);
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

TEST_CASE("what brought commits into doubt each time is the cause of the end") {
  Driver driver({.retry = {.max_failures = 1}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  driver.on(TaskFailed{
      {task.time, p0}, {ErrorKind::in_doubt, Cause::program, "its own"}, 0, std::nullopt});
  driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(0)}});
  const auto error = finished(driver);
  CHECK(error->cause == Cause::program);
  CHECK(error->kind == ErrorKind::fatal);
}

TEST_CASE("before a range is given up, whoever writes it is told that it is the last attempt") {
  Driver driver({.retry = {.max_failures = 3}});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto kind = GENERATE(ErrorKind::retriable, ErrorKind::unavailable);
  std::vector<bool> last_resorts;
  for (int i = 0; i < 3; ++i) {
    const auto task = driver.started().at(0);
    CHECK(task.isolate == task.last_resort);
    last_resorts.push_back(task.last_resort);
    driver.failed(task, kind);
    driver.now += 60'000;
    driver.on(Tick{});
  }
  CHECK(last_resorts == std::vector{false, false, true});
}

TEST_CASE("an outage is told once for all partitions, and so is its end") {
  Driver driver;
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  driver.take<Notice>();
  driver.failed(tasks[0], ErrorKind::unavailable);
  driver.failed(tasks[1], ErrorKind::unavailable);
  CHECK(driver.warnings().size() == 1);
  driver.now += 60'000;
  driver.on(Tick{});
  const auto again = driver.started();
  REQUIRE(again.size() == 2);
  driver.take<Notice>();
  // Not over while one of them still fails.
  driver.committed(again[0]);
  CHECK(driver.take<Notice>().empty());
  driver.committed(again[1]);
  const auto end = driver.take<Notice>();
  REQUIRE(end.size() == 1);
  CHECK(end[0].level == NoticeLevel::info);
}

TEST_CASE("once others commit, what waits out an outage is tried at once") {
  Driver driver({.retry = {.backoff_ms_min = 1'000, .backoff_ms_max = 60'000}});
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  auto tasks = driver.started();
  driver.failed(tasks[1], ErrorKind::unavailable);
  driver.on(Tick{});
  CHECK(driver.started().empty());
  // p1's server is another, and stays away: that p0 goes on helps it ever more rarely.
  std::vector<int> tried;
  for (int i = 1; i <= 60; ++i) {
    driver.committed(tasks[0]);
    driver.offsets({{p0, 10 + i}, {p1, 10}});
    tasks = driver.started();
    const auto second =
        std::ranges::find_if(tasks, [](const Task& task) { return task.range.tp == p1; });
    if (second != tasks.end()) {
      tried.push_back(i);
      driver.failed(*second, ErrorKind::unavailable);
      tasks.erase(second);
    }
    REQUIRE(tasks.size() == 1);
    // What it waits by itself is 0.5, 1, 2, 4 s and so on.
    driver.now += 100;
  }
  // At 1: woken. By itself 1 s later, and woken for this third failure; then 4 s later.
  CHECK(tried == std::vector{1, 11, 12, 52});
}

TEST_CASE("an outage is told at once, and then by time and not by tries") {
  Driver driver({.retry = {.backoff_ms_min = 10, .backoff_ms_max = 100}});
  driver.take_over({at(p0, 0)});
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
      for (const auto& task : driver.started()) driver.failed(task, ErrorKind::unavailable);
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
  driver.take_over({at(p0, 0)});
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

TEST_CASE("what fails while stopping is not said to be tried again") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 30}});
  const auto task = driver.started().at(0);
  driver.on(StopRequested{});
  driver.failed(task, ErrorKind::unavailable);
  const auto warnings = driver.warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].text ==
        "it failed; what is not committed of it is read again at the next start");
  CHECK_FALSE(finished(driver));
}

TEST_CASE("an unreachable Kafka is an error at the start and waited out later") {
  Driver driver;
  driver.take_over({at(p0, 0)});
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
  driver.take_over({at(p0, 0)});
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
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto fails = [&](ErrorKind kind, const char* why) {
    const auto task = driver.started().at(0);
    driver.on(TaskFailed{{task.time, task.range.tp}, {kind, Cause::source, why}, 0.0, {}});
  };
  fails(ErrorKind::fatal, "the login is refused");
  CHECK(driver.take<Finish>().empty());
  driver.now += 9'000;
  driver.on(Tick{});
  SECTION("and it comes back") {
    driver.committed(driver.started().at(0));
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
