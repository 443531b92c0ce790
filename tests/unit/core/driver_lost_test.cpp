// on_data_loss = "skip_batch": a batch that has lost records is given up as a whole.
#include <algorithm>

#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

namespace {

const auto of_batches = batches_partition();

Driver careful(CommitUnit commit, BatchClock clock = BatchClock::none) {
  Driver driver({.limits = {.max_records_per_partition = 10},
                 .commit = commit,
                 .clock = clock,
                 .executors = 2,
                 .skip_lost = true,
                 .skip_batch = true});
  std::vector<Progress> progress{at(p0, 0), at(p1, 0)};
  if (clock != BatchClock::none) progress.push_back(at(of_batches, 0));
  driver.take_over(progress);
  return driver;
}

/// The records of the task at `index` are gone below `earliest`.
void lose(Driver& driver, const std::vector<Task>& tasks, std::size_t index, LogBounds bounds) {
  TaskFailed event{
      Driver::id_of(tasks), {ErrorKind::data_loss, Cause::data_loss, "gone"}, 0, bounds};
  event.task = index;
  driver.on(event);
  REQUIRE(driver.take<ResolveDoubt>().size() == 1);
  const auto& task = tasks[index];
  driver.on(DoubtResolved{{task.time, task.range.tp}, {driver.ledger(task.range.from)}});
  CHECK_FALSE(verify(driver.state));
}

std::vector<OffsetRange> lost_of(const std::vector<Task>& tasks) {
  std::vector<OffsetRange> ranges;
  for (const auto& task : tasks) {
    if (task.kind == TaskKind::lost) ranges.push_back(task.range);
  }
  return ranges;
}

}  // namespace

TEST_CASE("skip_batch: what is left of a batch that has lost records is recorded, not stored") {
  auto driver = careful(CommitUnit::batch);
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  driver.take<PersistPlan>();
  lose(driver, tasks, 1, {4, 10, false});

  const auto warnings = driver.warnings();
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0].text, Catch::Contains("clicks[0] [0, 10), clicks[1] [0, 10)") &&
                                   Catch::Contains("given up") && Catch::Contains("skip_batch"));
  // Durable before the first of it is recorded.
  const auto plan = std::ranges::find_if(driver.actions, [](const auto& action) {
    return std::holds_alternative<PersistPlan>(action);
  });
  const auto start = std::ranges::find_if(driver.actions, [](const auto& action) {
    return std::holds_alternative<StartTasks>(action);
  });
  REQUIRE(plan < start);
  CHECK(std::get<PersistPlan>(*plan).batch.given_up);
  CHECK(std::get<PersistPlan>(*plan).batch.time == tasks[0].time);

  const auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 2);
  CHECK(lost_of(groups[0].tasks) == std::vector{OffsetRange{p0, 0, 10}});
  CHECK(lost_of(groups[1].tasks) == std::vector{OffsetRange{p1, 0, 10}});
  CHECK(groups[0].tasks[0].time == tasks[0].time);
  CHECK_THAT(groups[0].tasks[0].reason, Catch::Contains("given up with batch"));
  for (const auto& group : groups) driver.committed(group.tasks);
  CHECK(driver.state.totals.lost == 20);
  CHECK(driver.state.totals.given_up == 1);
  CHECK(driver.take<ForgetBatch>().size() == 1);
}

TEST_CASE("skip_batch: what is under way when a batch is given up may come to its end, and stays") {
  auto driver = careful(CommitUnit::range);
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  REQUIRE(tasks.size() == 2);
  lose(driver, {tasks[1]}, 0, {4, 10, false});
  CHECK(driver.started().empty());
  SECTION("committed") {
    driver.committed(tasks[0]);
    CHECK(lost_of(driver.started()) == std::vector{OffsetRange{p1, 0, 10}});
  }
  SECTION("failed") {
    driver.failed(tasks[0], ErrorKind::unavailable);
    CHECK(lost_of(driver.started()) == std::vector{OffsetRange{p0, 0, 10}, OffsetRange{p1, 0, 10}});
  }
}

TEST_CASE("skip_batch: what a crash left of a batch that was given up is recorded") {
  const bool skip_batch = GENERATE(true, false);
  Driver driver({.commit = CommitUnit::batch, .skip_lost = true, .skip_batch = skip_batch});
  const BatchTime time{900'000};
  const Batch given_up{time,
                       {{.range = {p0, 0, 10}, .kind = TaskKind::lost, .reason = "gone"},
                        {.range = {p1, 0, 10}, .kind = TaskKind::lost, .reason = "with it"}},
                       true};
  // The first of them is on record.
  driver.take_over({{p0, 10, time, {}}, at(p1, 0)}, {given_up}, time);
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].range == OffsetRange{p1, 0, 10});
  // Under another policy it is read, as a loss that was skipped always is.
  CHECK((tasks[0].kind == TaskKind::lost) == skip_batch);
  CHECK((tasks[0].time == time) == skip_batch);
}

TEST_CASE("skip_batch: a batch that is given up is no step of ~batches, and those behind move up") {
  auto driver = careful(CommitUnit::batch, BatchClock::with_records);
  driver.offsets({{p0, 10}, {p1, 20}});
  const auto tasks = driver.started();
  REQUIRE(tasks.size() == 3);
  REQUIRE(driver.take<PersistPlan>().size() == 2);
  lose(driver, tasks, 0, {4, 10, false});
  auto plans = driver.take<PersistPlan>();
  REQUIRE(plans.size() >= 2);
  const auto behind = std::ranges::find_if(
      plans, [&](const auto& plan) { return plan.batch.time > tasks[0].time; });
  REQUIRE(behind != plans.end());
  CHECK(behind->batch.ranges.back().range == OffsetRange{of_batches, 0, positions_per_batch});
  for (const auto& task : driver.started()) driver.committed(task);
  const auto next = driver.started();
  REQUIRE(next.size() == 2);
  CHECK(next[0].range == OffsetRange{p1, 10, 20});
  CHECK(next[1].range == OffsetRange{of_batches, 0, positions_per_batch});
}

TEST_CASE("skip_batch: of another log, all batches that were planned of the first are given up") {
  auto driver = careful(CommitUnit::batch);
  driver.offsets({{p0, 20}, {p1, 20}});
  const auto tasks = driver.started();
  lose(driver, tasks, 0, {0, 50, true});
  CHECK(driver.state.totals.given_up == 2);
  const auto first = driver.started();
  CHECK(lost_of(first) == std::vector{OffsetRange{p0, 0, 0}, OffsetRange{p1, 0, 10}});
  for (const auto& task : first) driver.committed(task);
  CHECK(lost_of(driver.started()) == std::vector{OffsetRange{p1, 10, 20}});
}

TEST_CASE("skip_batch: records that are gone before they are planned cost no batch") {
  auto driver = careful(CommitUnit::batch);
  driver.on(OffsetsSeen{.partitions = std::vector{p0, p1},
                        .earliest = {{p0, 0}, {p1, 7}},
                        .latest = {{p0, 10}, {p1, 10}}});
  const auto tasks = driver.started();
  CHECK(lost_of(tasks) == std::vector{OffsetRange{p1, 0, 7}});
  driver.committed(tasks);
  const auto batch = driver.started();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].range == OffsetRange{p0, 0, 10});
  CHECK(batch[1].range == OffsetRange{p1, 7, 10});
  CHECK(driver.state.totals.given_up == 0);
}

TEST_CASE("skip_batch: a log that is cut off under a plan costs its batch, once that is believed") {
  auto driver = careful(CommitUnit::batch);
  driver.offsets({{p0, 10}, {p1, 10}});
  driver.failed(driver.started(), ErrorKind::unavailable);
  driver.offsets({{p0, 6}, {p1, 10}});
  driver.now += 1'000;
  driver.on(Tick{});
  CHECK(driver.started().empty());  // a new leader may lag for a moment
  driver.now += 4'000;
  driver.offsets({{p0, 6}, {p1, 10}});
  driver.offsets({{p0, 6}, {p1, 10}});
  const auto tasks = driver.started();
  CHECK(lost_of(tasks) == std::vector{OffsetRange{p1, 0, 10}});
  CHECK(std::ranges::any_of(tasks, [](const auto& task) {
    return task.range == OffsetRange{p0, 0, 6} && task.recheck;
  }));
}

TEST_CASE("skip_batch: a batch that one output has already is not given up") {
  Driver driver({.commit = CommitUnit::batch, .skip_lost = true, .skip_batch = true});
  driver.on(TookOver{{.epoch = 7,
                      .progress = {at(p0, 0), at(p1, 0)},
                      .highest_batch_time = {},
                      .cluster_id = {},
                      .previous_owner = {},
                      .notes = {},
                      .pending = PendingBatch{{900'000}, {{p0, 0, 10}, {p1, 0, 10}}}},
                     {}});
  driver.offsets({{p0, 10}, {p1, 10}});
  const auto tasks = driver.started();
  lose(driver, tasks, 0, {4, 10, false});
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK_THAT(error->message, Catch::Contains("is in one of the outputs, and not in all"));
}

TEST_CASE("skip_batch: what is gone behind the end of a run is no loss of it") {
  Driver driver({.once = true,
                 .ends = std::map<TopicPartition, Offset>{{p0, 5}, {p1, 9}},
                 .skip_lost = true,
                 .skip_batch = true});
  driver.take_over({at(p0, 5), at(p1, 0)});
  driver.offsets({{p0, 20}, {p1, 20}});
  driver.started();
  OffsetsSeen later{.partitions = std::vector{p0, p1}, .earliest = {{p0, 8}, {p1, 0}}};
  later.latest = {{p0, 20}, {p1, 20}};
  driver.on(later);
  CHECK(driver.warnings().empty());
  CHECK(lost_of(driver.started()).empty());
}
