// What the driver makes of topics and partitions that Kafka does not list any more.
#include <set>

#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

TEST_CASE("a topic that is gone with records unread is lost data, one that was read is not") {
  const TopicPartition other{"other", 0};
  Driver driver({.once = true, .pattern = true});
  driver.take_over({at(p0, 10), at(other, 0)});
  driver.offsets({{p0, 10}, {other, 7}});
  const auto task = driver.started().at(0);
  SECTION("read") {
    driver.committed(task);
    CHECK_FALSE(finished(driver));
  }
  SECTION("unread, and it stays away") {
    driver.failed(task, ErrorKind::unavailable);
    driver.offsets({{p0, 10}});
    CHECK(driver.take<Finish>().empty());  // metadata may lag
    driver.now += 11'000;
    driver.offsets({{p0, 10}});
    const auto error = finished(driver);
    REQUIRE(error);
    CHECK(error->cause == Cause::data_loss);
    CHECK_THAT(error->message,
               Catch::Contains("other[0]") && Catch::Contains("from offset 0 to 7"));
  }
  SECTION("unread, and it comes back") {
    driver.failed(task, ErrorKind::unavailable);
    driver.offsets({{p0, 10}});
    driver.now += 5'000;
    driver.offsets({{p0, 10}, {other, 7}});
    CHECK(driver.started().at(0).range == OffsetRange{other, 0, 7});
  }
}

namespace {

/// A pipeline by pattern that has seen both topics, and waits to read offsets 3 to 7 of `other`.
struct TwoTopics : Driver {
  const TopicPartition other{"other", 0};
  OffsetsSeen only_p0{.partitions = std::vector{p0}, .earliest = {{p0, 0}}, .latest = {{p0, 10}}};

  explicit TwoTopics(DriverOptions options) : Driver(options) {
    auto progress = at(other, 3);
    progress.last = RecordMark{2, 1, 2};
    take_over({at(p0, 10), progress});
    offsets({{p0, 10}, {other, 7}});
    failed(started().at(0), ErrorKind::unavailable);
    take<Notice>();
  }
  /// For longer than is waited before it is believed.
  void for_long(const OffsetsSeen& seen) {
    for (int i = 0; i < 20; ++i) {
      now += 1'000;
      on(seen);
    }
  }
};

}  // namespace

TEST_CASE("a topic that is gone unread keeps its position where the configuration says skip") {
  TwoTopics driver({.skip_lost = true, .pattern = true});
  driver.for_long(driver.only_p0);
  CHECK(driver.take<Finish>().empty());
  CHECK(driver.started().empty());
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text, Catch::Contains("from offset 3 to 7 were not read") &&
                               Catch::Contains("stays in the ledger at offset 3"));
  SECTION("the same log goes on where it stood, once its record is compared") {
    driver.offsets({{p0, 10}, {driver.other, 7}});
    const auto task = driver.started().at(0);
    CHECK(task.kind == TaskKind::load);
    CHECK(task.range == OffsetRange{driver.other, 3, 7});
    CHECK(task.recheck);
    CHECK(task.last == RecordMark{2, 1, 2});
  }
  SECTION("a log that ends below the position is another one, and skipped to on record") {
    driver.offsets({{p0, 10}, {driver.other, 2}});
    driver.now += 4'000;
    driver.offsets({{p0, 10}, {driver.other, 2}});
    const auto task = driver.started().at(0);
    CHECK(task.kind == TaskKind::lost);
    CHECK(task.range == OffsetRange{driver.other, 3, 0});
  }
}

TEST_CASE("a topic that a range finds gone keeps its position where the configuration says skip") {
  TwoTopics driver({.skip_lost = true, .pattern = true});
  driver.now += 60'000;
  driver.offsets({{p0, 10}, {driver.other, 7}});
  const auto task = driver.started().at(0);
  driver.failed(task, ErrorKind::data_loss, LogBounds{.gone = true});
  const auto doubt = driver.take<ResolveDoubt>().at(0).tasks.at(0);
  driver.on(DoubtResolved{{doubt.time, doubt.range.tp}, {driver.ledger(3)}});
  CHECK(driver.started().empty());
  CHECK(driver.take<Finish>().empty());
  driver.offsets({{p0, 10}, {driver.other, 7}});
  CHECK(driver.started().at(0).range == OffsetRange{driver.other, 3, 7});
}

TEST_CASE("a topic that is denied is not gone: it is waited for, told once, and read on") {
  const bool skip = GENERATE(false, true);
  TwoTopics driver({.skip_lost = skip, .pattern = true});
  auto denied = driver.only_p0;
  denied.denied["other"] = "not allowed";
  driver.for_long(denied);
  CHECK(driver.take<Finish>().empty());
  CHECK(driver.started().empty());
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text, Catch::Contains("other[0]: not allowed") && Catch::Contains("offset 3"));
  for (const auto& ask : driver.take<AskOffsets>()) {
    if (ask.discover) CHECK(ask.topics.contains("other"));
  }
  SECTION("once it is allowed again") {
    driver.offsets({{p0, 10}, {driver.other, 9}});
    const auto task = driver.started().at(0);
    CHECK(task.range == OffsetRange{driver.other, 3, 7});
    CHECK(task.recheck);
  }
  SECTION("and it has its time if it is gone afterwards") {
    driver.on(driver.only_p0);
    CHECK(driver.take<Finish>().empty());
    driver.for_long(driver.only_p0);
    CHECK(driver.take<Finish>().size() == (skip ? 0 : 1));
  }
}

TEST_CASE("a run with --once ends with an error where what it wants stays denied") {
  TwoTopics driver({.once = true, .pattern = true});
  auto denied = driver.only_p0;
  denied.denied["other"] = "not allowed";
  driver.on(denied);
  CHECK(driver.take<Finish>().empty());
  driver.for_long(denied);
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::source);
}

TEST_CASE("a listed topic that goes away is lost data, whether all of it was read or not") {
  const TopicPartition other{"other", 0};
  const bool skip = GENERATE(false, true);
  Driver driver({.skip_lost = skip});
  driver.take_over({at(p0, 10), at(other, 7)});
  driver.offsets({{p0, 10}, {other, 7}});
  CHECK(driver.take<AskOffsets>().at(0).topics.empty());  // nothing was seen yet
  for (int i = 0; i < 20; ++i) {
    driver.now += 1'000;
    driver.offsets({{p0, 10}});
  }
  CHECK(driver.take<Notice>().size() == (skip ? 1 : 0));
  auto asked = driver.take<AskOffsets>();
  std::erase_if(asked, [](const auto& ask) { return !ask.discover; });
  REQUIRE_FALSE(asked.empty());
  CHECK(asked.back().topics == std::set<std::string>{"clicks", "other"});
  if (skip) {
    CHECK(driver.take<Finish>().empty());
    return;
  }
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
  CHECK_THAT(error->message, Catch::Contains("topic other no longer exists"));
}

TEST_CASE("a source beside Kafka that a program has no more is not said to be gone from Kafka") {
  const TopicPartition files{"+files.bills", 0};
  Driver driver;
  driver.take_over({at(p0, 10), at(files, 20)});
  driver.offsets({{p0, 10}});
  driver.offsets({{p0, 10}});
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text,
             Catch::Contains("+files.bills[0] is no source of this program any more") &&
                 !Catch::Contains("gone from Kafka"));
}

TEST_CASE("partitions that a topic made anew has no more are told, once") {
  Driver driver;
  driver.take_over({at(p0, 10), at(p1, 20)});
  driver.offsets({{p0, 10}});
  driver.offsets({{p0, 10}});
  const auto told = driver.take<Notice>();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].text, Catch::Contains("clicks[1]") && Catch::Contains("created anew") &&
                               Catch::Contains("20"));
}
