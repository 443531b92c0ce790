// The driver's decisions about where partitions begin and end, and about records that are gone.
#include "core/driver.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

TEST_CASE("recovered batches run first, with their time and ranges") {
  Driver driver;
  const Batch batch{{999'000}, {{.range = {p0, 0, 4}, .kind = TaskKind::load, .reason = {}}}};
  driver.take_over({at(p0, 0)}, {batch});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  CHECK(task.time == batch.time);
  CHECK(task.range == OffsetRange{p0, 0, 4});
  const auto planned = driver.take<PersistPlan>();
  REQUIRE(planned.size() == 1);
  CHECK(planned[0].batch.time > batch.time);
  CHECK(planned[0].batch.ranges[0].range == OffsetRange{p0, 4, 10});
}

TEST_CASE("planning is strictly above the ledger's highest batch time, whatever our clock says") {
  Driver driver;
  driver.on(TookOver{{.epoch = 1,
                      .progress = {at(p0, 0)},
                      .highest_batch_time = {9'000'000},
                      .cluster_id = {},
                      .previous_owner = {},
                      .notes = {}},
                     {}});
  driver.offsets({{p0, 10}});
  CHECK(driver.started().at(0).time == BatchTime{9'000'001});
}

TEST_CASE("a partition that was new during downtime begins at its earliest record") {
  Driver driver;
  driver.take_over({at(p0, 3)});
  driver.offsets({{p0, 10}, {p1, 10}});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest == std::vector{p1});
}

TEST_CASE("with a pattern a topic that appeared during downtime begins at its earliest record") {
  Driver driver({.pattern = true});
  driver.take_over({at(p0, 3)});
  driver.offsets({{p0, 10}, {{"other", 0}, 10}});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest ==
        std::vector<TopicPartition>{{"other", 0}});
}

TEST_CASE("once stops at the ends seen first, also when more arrives") {
  Driver driver({.once = true});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  driver.offsets({{p0, 99}}, false);
  driver.committed(task);
  CHECK_FALSE(finished(driver));
  CHECK(driver.state.partitions.at(p0).committed == 10);
}

TEST_CASE("once with ends that are given stops at them, whatever the log has") {
  Driver driver({.once = true, .ends = std::map<TopicPartition, Offset>{{p0, 7}}});
  driver.take_over({at(p0, 3), at(p1, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].range == OffsetRange{p0, 3, 7});
  driver.committed(tasks[0]);
  CHECK_FALSE(finished(driver));
  CHECK(driver.state.partitions.at(p1).committed == 0);
}

TEST_CASE("once with ends that are reached does not wait for what Kafka says") {
  Driver driver({.once = true, .ends = std::map<TopicPartition, Offset>{{p0, 7}}});
  driver.take_over({at(p0, 7), at(p1, 0)});
  OffsetsSeen seen{.partitions = std::vector{p0, p1}, .earliest = {}, .latest = {}};
  seen.unanswered[p0] = seen.unanswered[p1] = "no leader";
  driver.on(seen);
  CHECK_FALSE(finished(driver));
}

TEST_CASE("once with nothing to read finishes at once") {
  Driver driver({.once = true});
  driver.take_over({at(p0, 10)});
  driver.offsets({{p0, 10}});
  CHECK_FALSE(finished(driver));
}

TEST_CASE("once does not take a log that is shorter than what was committed for one without news") {
  Driver driver({.once = true});
  driver.take_over({at(p0, 100)});
  driver.offsets({{p0, 10}});
  CHECK(driver.take<Finish>().empty());
  driver.now += 4'000;
  driver.offsets({{p0, 10}});
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
}

TEST_CASE("lost records stop the pipeline, or are recorded as skipped") {
  const bool skip = GENERATE(false, true);
  Driver driver({.skip_lost = skip});
  driver.take_over({at(p0, 100)});
  driver.offsets({{p0, 900}});
  const auto task = driver.started().at(0);
  driver.take<PersistPlan>();
  driver.failed(task, ErrorKind::data_loss, LogBounds{500, 900, false});
  // Believed once the ledger says that the range is still ours.
  CHECK(driver.take<Finish>().empty());
  REQUIRE(driver.take<ResolveDoubt>().size() == 1);
  driver.on(DoubtResolved{{task.time, p0}, {driver.ledger(100)}});
  if (!skip) {
    CHECK(finished(driver)->message.find("on_data_loss") != std::string::npos);
    return;
  }
  const auto lost = driver.started().at(0);
  CHECK(lost.kind == TaskKind::lost);
  CHECK(lost.range == OffsetRange{p0, 100, 500});
  CHECK(lost.reason == "it failed");
  CHECK(driver.take<PersistPlan>().size() >= 1);
  driver.committed(lost);
  const auto next = driver.started().at(0);
  CHECK(next.range == OffsetRange{p0, 500, 900});
  CHECK_FALSE(next.last);  // a record before a gap proves nothing about what is behind it
}

TEST_CASE("a log that stays shorter than what was committed is another log") {
  Driver driver;
  driver.take_over({at(p0, 100)});
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
  driver.take_over({at(p0, 3)});
  driver.offsets({{p0, 3}});
  driver.offsets({{p0, 2}}, false);
  driver.offsets({{p0, 9}}, false);
  CHECK(driver.started().at(0).recheck);
}

TEST_CASE("what is planned for a partition without a leader keeps no executor busy") {
  Driver driver;
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}});
  const auto task = driver.started().at(0);
  driver.failed(task, ErrorKind::unavailable);
  OffsetsSeen seen{.partitions = {}, .earliest = {}, .latest = {}};
  seen.unanswered[p0] = "no leader";
  driver.on(seen);
  driver.now += 60'000;
  driver.on(Tick{});
  CHECK(driver.started().empty());
  CHECK(next_wake_ms(driver.state) > driver.now);
  driver.offsets({{p0, 10}}, false);
  CHECK(driver.started().size() == 1);
}

TEST_CASE("once waits for a partition that says nothing as long as a start may take") {
  Driver driver({.once = true});
  driver.take_over({at(p0, 10), at(p1, 0)});
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
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 10}, {p1, 10}});
  CHECK(driver.started().size() == 1);
  REQUIRE(driver.take<EnterPartitions>().size() == 1);
  driver.on(EnterFailed{{p1}, {ErrorKind::unavailable, Cause::source, "no leader"}});
  CHECK(driver.take<Finish>().empty());
  driver.now += 60'000;
  driver.on(Tick{});
  CHECK(driver.take<EnterPartitions>().at(0).at_earliest == std::vector{p1});
}

TEST_CASE("a pipeline that can begin nowhere ends when a start has taken too long") {
  Driver driver;
  driver.take_over({});
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
  driver.take_over({});
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
  driver.take_over({at(p0, 1'000)});
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
  driver.take_over({progress}, {batch});
  CHECK(driver.started().empty());
  driver.offsets({{p0, 25}});
  CHECK(driver.take<ForgetBatch>().at(0).time == batch.time);
  const auto task = driver.started().at(0);
  CHECK(task.range == OffsetRange{p0, 10, 25});
  CHECK(task.time > batch.time);
  CHECK(task.recheck);
}

TEST_CASE("records that were seen and are cut off unread are lost data") {
  const bool skip = GENERATE(false, true);
  Driver driver({.limits = {.max_records_per_partition = 10}, .once = true, .skip_lost = skip});
  driver.take_over({at(p0, 0)});
  driver.offsets({{p0, 30}});
  driver.committed(driver.started().at(0));
  driver.committed(driver.started().at(0));
  driver.failed(driver.started().at(0), ErrorKind::retriable);
  driver.offsets({{p0, 20}}, false);
  driver.now += 4'000;
  driver.offsets({{p0, 20}}, false);
  const auto error = finished(driver);
  CHECK(error.has_value() != skip);
  if (error) CHECK_THAT(error->message, Catch::Contains("from offset 20 to 30"));
}
