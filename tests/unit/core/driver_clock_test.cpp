// The partition that counts batches: each batch moves it.
#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

namespace {

// As the ledger has it.
const TopicPartition batches{"~batches", 0};
constexpr std::int64_t per_batch = 268'435'456;

Driver counting(BatchClock which = BatchClock::with_records, DriverOptions options = {}) {
  options.commit = CommitUnit::batch;
  options.clock = which;
  return Driver(options);
}

/// Two partitions and ~batches at 0; what Kafka has is not known.
Driver two(BatchClock which = BatchClock::with_records, DriverOptions options = {}) {
  auto driver = counting(which, std::move(options));
  driver.take_over({at(p0, 0), at(p1, 0), at(batches, 0)});
  return driver;
}

std::vector<OffsetRange> ranges_of(const std::vector<Task>& tasks) {
  std::vector<OffsetRange> ranges;
  for (const auto& task : tasks) ranges.push_back(task.range);
  return ranges;
}

/// The only group that was started since.
std::vector<Task> group(Driver& driver) {
  const auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 1);
  CHECK_FALSE(verify(driver.state));
  return groups.front().tasks;
}

bool idle(Driver& driver) {
  return driver.take<StartTasks>().empty() && driver.take<PersistPlan>().empty();
}

Batch batch(std::int64_t time, std::vector<OffsetRange> ranges) {
  Batch made{{time}, {}};
  for (auto& range : ranges) {
    made.ranges.push_back({.range = std::move(range), .kind = TaskKind::load, .reason = {}});
  }
  return made;
}

using Ranges = std::vector<OffsetRange>;

}  // namespace

TEST_CASE("each batch moves ~batches up to its time, in the transaction of its other ranges") {
  auto driver = two();
  driver.offsets({{p0, 5}, {p1, 3}});
  const Ranges first{{p0, 0, 5}, {p1, 0, 3}, {batches, 0, per_batch}};
  auto tasks = group(driver);
  CHECK(ranges_of(tasks) == first);
  CHECK(driver.take<PersistPlan>().at(0).batch == batch(1'000'000, first));
  driver.committed(tasks);
  driver.now += 250;
  driver.offsets({{p0, 6}, {p1, 3}});
  tasks = group(driver);
  CHECK(ranges_of(tasks) == Ranges{{p0, 5, 6}, {batches, per_batch, 2 * per_batch}});
  driver.committed(tasks);
  CHECK(driver.state.totals.batches == 2);
}

TEST_CASE("without a clock the ledger's ~batches is left as it is") {
  Driver driver({.commit = CommitUnit::batch});
  driver.take_over({at(p0, 0), at(batches, 7)},
                   {batch(900'000, {{p0, 0, 2}, {batches, 7, per_batch}})});
  driver.offsets({{p0, 2}});
  CHECK(ranges_of(group(driver)) == Ranges{{p0, 0, 2}});
  CHECK(driver.warnings().empty());
}

TEST_CASE("~batches is entered at 0 behind the others, and nothing is planned before") {
  auto driver = counting();
  driver.take_over({});
  driver.offsets({{p0, 5}});
  auto enter = driver.take<EnterPartitions>();
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].at_start == std::vector{p0});
  CHECK_FALSE(enter[0].batches);
  driver.on(Entered{{at(p0, 0)}});
  enter = driver.take<EnterPartitions>();
  REQUIRE(enter.size() == 1);
  CHECK(enter[0].batches);
  CHECK(enter[0].at_start.empty());
  CHECK(enter[0].at_earliest.empty());
  driver.offsets({{p0, 5}});
  CHECK(idle(driver));
  CHECK_FALSE(caught_up(driver.state));
  driver.on(Entered{{at(batches, 0)}});
  CHECK(ranges_of(group(driver)) == Ranges{{p0, 0, 5}, {batches, 0, per_batch}});
}

TEST_CASE("a ledger of a pipeline that did not count enters ~batches") {
  auto driver = counting();
  driver.take_over({at(p0, 5)}, {batch(900'000, {{p0, 5, 7}})});
  CHECK(driver.take<EnterPartitions>().at(0).batches);
  // What was planned without it is planned anew.
  CHECK(driver.take<ForgetBatch>().at(0).time.ms == 900'000);
  driver.offsets({{p0, 9}});
  CHECK(idle(driver));
  driver.on(Entered{{at(batches, 0)}});
  CHECK(ranges_of(group(driver)) == Ranges{{p0, 5, 9}, {batches, 0, per_batch}});
}

TEST_CASE("a start that fails is given up in time, though ~batches is in the ledger") {
  auto driver = counting();
  driver.take_over({at(batches, 0)});
  driver.offsets({{p0, 5}});
  const Error error{ErrorKind::unavailable, Cause::source, "no leader"};
  driver.on(EnterFailed{{p0}, error});
  CHECK(driver.take<Finish>().empty());
  driver.now += 30'000;
  driver.on(EnterFailed{{p0}, error});
  CHECK(finished(driver)->message == "no leader");
}

TEST_CASE("Kafka is never asked about ~batches, nor believed to have lost it") {
  auto driver = two(BatchClock::each_interval, {.pattern = GENERATE(false, true)});
  for (int i = 0; i < 100; ++i) {
    driver.on(Tick{});
    for (const auto& ask : driver.take<AskOffsets>()) {
      CHECK(std::ranges::count(ask.tps, batches) == 0);
      CHECK_FALSE(ask.topics.contains("~batches"));
      driver.offsets({{p0, i}, {p1, i}}, ask.discover);
    }
    if (const auto groups = driver.take<StartTasks>(); !groups.empty()) {
      driver.committed(groups.front().tasks);
    }
    driver.now += 250;
  }
  CHECK(driver.state.partitions.at(p0).committed > 90);
  CHECK(driver.warnings().empty());
  CHECK(lag(driver.state) == 0);
  CHECK(caught_up(driver.state));
  CHECK_FALSE(verify(driver.state));
}

TEST_CASE("its positions are no offsets that were done") {
  auto driver = two();
  driver.offsets({{p0, 5}});
  const auto tasks = group(driver);
  DoubtResolved resolved{Driver::id_of(tasks), {}};
  driver.failed(tasks, ErrorKind::in_doubt);
  for (const auto& task : tasks) {
    resolved.ledger.push_back(driver.ledger(task.range.until, 7, "me", task.time));
  }
  driver.on(resolved);
  CHECK(driver.state.totals.offsets == 5);
  CHECK(driver.state.totals.uncounted == 5);
}

TEST_CASE("the driver keeps no mark of ~batches: it is the sink's own") {
  auto driver = counting();
  const RecordMark mark{7, 8, 9};
  driver.take_over({at(p0, 0), {batches, 10, {}, mark}});
  driver.offsets({{p0, 1}});
  auto tasks = group(driver);
  CHECK_FALSE(tasks.back().last);
  CHECK_FALSE(tasks.back().recheck);
  CHECK(tasks.front().recheck);
  driver.committed(tasks);
  driver.offsets({{p0, 2}});
  tasks = group(driver);
  CHECK(tasks.front().last);
  CHECK_FALSE(tasks.back().last);
  CHECK(tasks.back().moved_by == BatchTime{1'000'000});
}

TEST_CASE("a batch has its own positions of ~batches, wherever that stands") {
  auto driver = counting();
  driver.take_over({at(p0, 0), at(batches, 7)});
  driver.offsets({{p0, 1}});
  CHECK(group(driver).back().range ==
        OffsetRange{batches, 7, 7 + per_batch});
}

TEST_CASE("batches that count follow each other: one runs while the next is durable") {
  auto driver = two();
  driver.offsets({{p0, 1}, {p1, 0}});
  const auto first = group(driver);
  driver.offsets({{p0, 1}, {p1, 1}});
  CHECK(driver.take<StartTasks>().empty());
  driver.offsets({{p0, 2}, {p1, 2}});
  CHECK(driver.state.batches.size() == 2);
  driver.committed(first);
  CHECK(ranges_of(group(driver)) ==
        Ranges{{p1, 0, 1}, {batches, per_batch, 2 * per_batch}});
}

TEST_CASE("with records: where nothing is new, no batch is planned") {
  auto driver = two();
  for (int i = 0; i < 10; ++i) {
    driver.now += 250;
    driver.offsets({{p0, 0}, {p1, 0}});
  }
  CHECK(idle(driver));
}

TEST_CASE("each interval: one without records is a batch of ~batches alone") {
  auto driver = two(BatchClock::each_interval);
  driver.now += 3;
  driver.offsets({{p0, 0}, {p1, 0}});
  const auto first = group(driver);
  CHECK(ranges_of(first) == Ranges{{batches, 0, per_batch}});
  SECTION("one in an interval") {
    driver.committed(first);
    driver.offsets({{p0, 0}, {p1, 0}});
    CHECK(driver.take<StartTasks>().empty());
    driver.now += 250;
    driver.offsets({{p0, 0}, {p1, 0}});
    CHECK(group(driver).front().range.until == 2 * per_batch);
  }
  SECTION("one at a time") {
    for (int i = 0; i < 3; ++i) {
      driver.now += 250;
      driver.offsets({{p0, 0}, {p1, 0}});
    }
    CHECK(driver.state.batches.size() == 1);
    driver.committed(first);
    CHECK(ranges_of(group(driver)) == Ranges{{batches, per_batch, 2 * per_batch}});
  }
  SECTION("what is new in an interval is its batch, and there is no other") {
    driver.committed(first);
    driver.now += 249;
    driver.on(Tick{});
    CHECK(driver.take<StartTasks>().empty());
    driver.offsets({{p0, 4}, {p1, 0}});
    CHECK(ranges_of(group(driver)) ==
          Ranges{{p0, 0, 4}, {batches, per_batch, 2 * per_batch}});
    CHECK(driver.state.batches.size() == 1);
  }
  SECTION("while Kafka does not answer, too") {
    driver.committed(first);
    driver.now += 250;
    driver.on(OffsetsFailed{{ErrorKind::unavailable, Cause::source, "no answer"}});
    CHECK(group(driver).size() == 1);
  }
}

TEST_CASE("each interval: the initial rate is for the first batch with records") {
  auto driver = two(BatchClock::each_interval, {.limits = {.initial_rate = 8}});
  driver.offsets({{p0, 0}, {p1, 0}});
  driver.committed(group(driver));
  driver.now += 250;
  driver.offsets({{p0, 100}, {p1, 0}});
  CHECK(group(driver).front().range == OffsetRange{p0, 0, 2});
}

TEST_CASE("each interval: what waits since a take-over comes before time goes on") {
  auto driver = two(BatchClock::each_interval);
  driver.on(OffsetsFailed{{ErrorKind::unavailable, Cause::source, "no answer"}});
  CHECK(idle(driver));
  driver.offsets({{p0, 5}, {p1, 0}});
  CHECK(group(driver).size() == 2);
}

TEST_CASE("once: the clock does not keep a run from ending, and is not broken off") {
  auto driver = two(BatchClock::each_interval, {.once = true});
  driver.offsets({{p0, 5}, {p1, 0}});
  driver.committed(group(driver));
  CHECK_FALSE(finished(driver));
}

TEST_CASE("once: a batch of ~batches alone is waited for") {
  auto driver = two(BatchClock::each_interval, {.once = true});
  driver.offsets({{p0, 5}, {p1, 0}});
  auto tasks = group(driver);
  // The records of the only range are gone: the batch is ~batches alone, and p0 is at its stop.
  driver.state.options.skip_lost = true;
  TaskFailed lost{Driver::id_of(tasks),
                  {ErrorKind::data_loss, Cause::data_loss, "gone"},
                  0,
                  LogBounds{.earliest = 5, .latest = 5}};
  lost.task = 0;
  driver.on(lost);
  const auto doubt = driver.take<ResolveDoubt>();
  REQUIRE(doubt.size() == 1);
  driver.on(DoubtResolved{Driver::id_of(tasks), {driver.ledger(0)}});
  auto groups = driver.take<StartTasks>();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].tasks.front().kind == TaskKind::lost);
  CHECK(groups[0].tasks.size() == 1);
  CHECK(ranges_of(groups[1].tasks) == Ranges{{batches, 0, per_batch}});
  CHECK_FALSE(verify(driver.state));
  driver.committed(groups[0].tasks);
  CHECK(driver.take<Finish>().empty());
  driver.committed(groups[1].tasks);
  CHECK_FALSE(finished(driver));
}

TEST_CASE("a recovered batch keeps time and ranges with its move of ~batches, or is planned anew") {
  auto driver = counting();
  const auto whole = batch(900'000, {{p0, 0, 2}, {batches, 0, per_batch}});
  SECTION("kept") {
    driver.take_over({at(p0, 0), at(batches, 0)}, {whole});
    driver.offsets({{p0, 2}});
    const auto tasks = group(driver);
    CHECK(tasks.front().time.ms == 900'000);
    CHECK(ranges_of(tasks).back() == whole.ranges.back().range);
    CHECK(driver.take<PersistPlan>().empty());
  }
  SECTION("another batch has moved it") {
    driver.take_over({at(p0, 0), at(batches, 5)}, {whole});
    CHECK(driver.take<ForgetBatch>().at(0).time.ms == 900'000);
    driver.offsets({{p0, 2}});
    CHECK(group(driver).front().time.ms == 1'000'000);
  }
}

TEST_CASE("a batch that another output has already is done first, exactly so") {
  auto driver = counting();
  const auto other = batch(900'000, {{p0, 0, 7}, {batches, 0, per_batch}});
  const auto pending = batch(900'000, {{p0, 0, 2}, {p1, 0, 1}, {batches, 0, per_batch}});
  const auto next = batch(900'001, {{p0, 2, 3}, {batches, per_batch, 2 * per_batch}});
  TookOver taken{{.epoch = 7, .progress = {at(p0, 0), at(p1, 0), at(batches, 0)}}, {}};
  // In whatever order.
  taken.taken.pending =
      PendingBatch{{900'000}, {{batches, 0, per_batch}, {p1, 0, 1}, {p0, 0, 2}}};
  SECTION("what was planned instead is forgotten, before it is durable") {
    taken.recovered = {other, next};
    driver.on(taken);
    std::vector<std::string> done;
    for (const auto& action : driver.actions) {
      if (const auto* forget = std::get_if<ForgetBatch>(&action)) {
        done.push_back("forget " + std::to_string(forget->time.ms));
      } else if (const auto* plan = std::get_if<PersistPlan>(&action)) {
        CHECK(plan->batch == pending);
        done.emplace_back("persist");
      }
    }
    CHECK(done == std::vector<std::string>{"forget 900000", "forget 900001", "persist"});
  }
  SECTION("it is not made durable twice") {
    taken.recovered = {pending, next};
    driver.on(taken);
    CHECK(driver.take<PersistPlan>().empty());
    CHECK(driver.take<ForgetBatch>().at(0).time.ms == 900'001);
  }
  CHECK_FALSE(verify(driver.state));
  driver.actions.clear();
  driver.offsets({{p0, 9}, {p1, 9}});
  auto tasks = group(driver);
  CHECK(ranges_of(tasks) == Ranges{{p0, 0, 2}, {p1, 0, 1}, {batches, 0, per_batch}});
  driver.committed(tasks);
  CHECK(group(driver).front().time.ms == 1'000'000);
}

TEST_CASE("a batch that another output has, and does not fit the ledger, ends the run") {
  auto driver = counting();
  TookOver taken{{.epoch = 7, .progress = {at(p0, 0), at(batches, 0)}}, {}};
  auto& pending = taken.taken.pending.emplace(
      PendingBatch{{900'000}, {{p0, 0, 2}, {batches, 0, per_batch}}});
  SECTION("a range begins elsewhere") {
    pending.ranges[0].from = 1;
  }
  SECTION("a partition is not known") {
    pending.ranges[0].tp = p1;
  }
  SECTION("it does not count") {
    pending.ranges.pop_back();
  }
  SECTION("a partition has moved by a batch that is not before it") {
    taken.taken.progress[0].batch_time = {900'000};
  }
  driver.on(taken);
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::internal);
  CHECK(error->message.find("batch 900000") != std::string::npos);
}

TEST_CASE("what another output has already is not skipped where its records are gone") {
  auto driver = counting(BatchClock::with_records, {.skip_lost = true});
  TookOver taken{{.epoch = 7, .progress = {at(p0, 0), at(batches, 0)}}, {}};
  taken.taken.pending = PendingBatch{{900'000}, {{p0, 0, 5}, {batches, 0, per_batch}}};
  driver.on(taken);
  SECTION("lost below the log's beginning") {
    driver.offsets({{p0, 9}});
    const auto tasks = group(driver);
    TaskFailed lost{Driver::id_of(tasks),
                    {ErrorKind::data_loss, Cause::data_loss, "gone"},
                    0,
                    LogBounds{.earliest = 3, .latest = 9}};
    lost.task = 0;
    driver.on(lost);
    driver.on(DoubtResolved{Driver::id_of(tasks), {driver.ledger(0)}});
  }
  SECTION("cut off at the log's end, and not only for a moment") {
    driver.offsets({{p0, 4}});
    CHECK(driver.take<Finish>().empty());
    CHECK(driver.take<StartTasks>().empty());
    driver.now += 3'000;
    driver.offsets({{p0, 4}});
  }
  SECTION("its topic is not read any more") {
    driver.offsets({{p1, 4}});
  }
  const auto error = finished(driver);
  REQUIRE(error);
  CHECK(error->cause == Cause::data_loss);
  CHECK(error->message.find("clicks[0] [0, 5)") != std::string::npos);
}
