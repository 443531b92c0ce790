// The engine with a partition that counts batches: what a sink sees of it.
#include <algorithm>
#include <mutex>
#include <optional>
#include <semel/forwarding.hpp>

#include "core/history.hpp"
#include "pipeline_setup.hpp"
#include "support/process.hpp"

using namespace semel;
using test::Destinations;
using test::Setup;

namespace {

const TopicPartition batches{"~batches", 0};

/// What was committed, group by group; and what a take-over is to say.
struct Seen {
  std::mutex mutex;
  std::vector<std::vector<Task>> groups;
  std::optional<PendingBatch> pending;

  std::size_t empty_ones() {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(
        std::ranges::count_if(groups, [](const auto& group) { return group.size() == 1; }));
  }
};

class SeeingSession final : public ForwardingSession {
 public:
  SeeingSession(std::unique_ptr<SinkSession> next, std::shared_ptr<Seen> seen)
      : ForwardingSession(std::move(next)), seen_(std::move(seen)) {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    tasks_.assign(tasks.begin(), tasks.end());
    return next().begin(tasks);
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    auto done = next().commit(ends);
    if (!done || !std::holds_alternative<std::vector<Committed>>(*done)) return done;
    const std::lock_guard lock(seen_->mutex);
    seen_->groups.push_back(tasks_);
    return done;
  }

 private:
  std::shared_ptr<Seen> seen_;
  std::vector<Task> tasks_;
};

class SeeingSink final : public ForwardingSink {
 public:
  SeeingSink(std::unique_ptr<Sink> next, std::shared_ptr<Seen> seen)
      : ForwardingSink(std::move(next)), seen_(std::move(seen)) {}

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    auto taken = next().take_over(cluster_id);
    if (taken) taken->pending = seen_->pending;
    return taken;
  }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    auto session = next().open_session();
    if (!session) return session;
    return std::make_unique<SeeingSession>(*std::move(session), seen_);
  }

 private:
  std::shared_ptr<Seen> seen_;
};

struct Counting : Setup {
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();

  engine::PipelineOptions counting(core::BatchClock clock, bool once) const {
    auto counting = options(once);
    counting.commit = core::CommitUnit::batch;
    counting.clock = clock;
    counting.executors = 2;
    return counting;
  }
  Destinations seeing() const {
    return {{.make_sink = [store = store, seen = seen](const Owner& owner) {
      return Result<std::unique_ptr<Sink>>(
          std::make_unique<SeeingSink>(memory::memory_sink(store, owner), seen));
    }}};
  }

  /// Each group's last task is of ~batches, goes on where the one before ended, and has a
  /// batch's positions.
  void expect_all_counted() const {
    const std::lock_guard lock(seen->mutex);
    Offset at = 0;
    for (const auto& group : seen->groups) {
      const auto& last = group.back();
      CHECK(last.range == OffsetRange{batches, at, at + 268'435'456});
      CHECK_FALSE(last.last);
      at = last.range.until;
      for (const auto& task : std::span(group).first(group.size() - 1)) {
        CHECK(task.range.tp.topic == "events");
      }
    }
  }

  void expect_unbroken() const {
    core::HistoryCheck check;
    auto ledger = memory::memory_ledger(store, "test", engine::default_output);
    const auto progress = ledger->history([&](std::span<const Move> moves) {
      for (const auto& move : moves) check.add(move);
    });
    REQUIRE(progress);
    const auto histories = check.finish(*progress);
    CHECK(histories.size() == test::partitions + 1);
    CHECK(core::proven(histories));
  }
};

}  // namespace

TEST_CASE("each group that a sink commits has a task of ~batches, whatever else it has") {
  Counting setup;
  setup.produce(1'000);
  engine::Pipeline pipeline(setup.counting(core::BatchClock::with_records, true), setup.seeing());
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(done->offsets == 1'000);
  CHECK(done->records == 1'000);
  CHECK(done->lag == 0);
  CHECK(setup.seen->groups.size() == done->batches);
  CHECK(setup.seen->empty_ones() == 0);
  setup.expect_all_counted();
  setup.expect_each_once();
  setup.expect_unbroken();
  CHECK(pipeline.metrics().output(engine::default_output).partitions.latest()->size() ==
        test::partitions);
}

TEST_CASE("where nothing is read, each interval is a group of ~batches alone") {
  Counting setup;
  setup.produce(10);
  engine::Pipeline pipeline(setup.counting(core::BatchClock::each_interval, false), setup.seeing());
  Result<engine::Snapshot> outcome;
  std::thread running([&] { outcome = pipeline.run(); });
  CHECK(test::eventually([&] { return setup.rows() == 10 && setup.seen->empty_ones() > 3; }));
  setup.produce(10);
  CHECK(test::eventually([&] { return setup.rows() == 20; }));
  pipeline.request_stop();
  running.join();
  REQUIRE(outcome);
  CHECK(outcome->offsets == 20);
  setup.expect_all_counted();
  setup.expect_each_once();
  setup.expect_unbroken();

  SECTION("and a run with once ends all the same") {
    engine::Pipeline rest(setup.counting(core::BatchClock::each_interval, true), setup.seeing());
    REQUIRE(rest.run());
    setup.expect_all_counted();
    setup.expect_unbroken();
  }
}

TEST_CASE("a batch that another output behind the sink has is what is committed first") {
  Counting setup;
  setup.produce(test::partitions * 10);
  const auto options = setup.counting(core::BatchClock::with_records, true);
  REQUIRE(engine::Pipeline(options, setup.seeing()).run());
  auto ledger = memory::memory_ledger(setup.store, "test", engine::default_output);
  const auto progress = ledger->progress();
  REQUIRE(progress);
  PendingBatch pending{{progress->back().batch_time.ms + 1}, {}};
  pending.ranges = {{{"events", 0}, 10, 12},
                    {{"events", 2}, 10, 11},
                    {batches, progress->back().until, pending.time.ms * 1'048'576}};
  setup.seen->pending = pending;
  setup.seen->groups.clear();
  setup.produce(test::partitions * 10);
  REQUIRE(engine::Pipeline(options, setup.seeing()).run());
  std::vector<OffsetRange> first;
  for (const auto& task : setup.seen->groups.front()) first.push_back(task.range);
  CHECK(first == pending.ranges);
  CHECK(setup.seen->groups.front().front().time == pending.time);
  setup.expect_each_once();
  setup.expect_unbroken();
}

TEST_CASE("batches are counted only where each is one transaction") {
  Counting setup;
  auto options = setup.counting(core::BatchClock::with_records, true);
  options.commit = core::CommitUnit::automatic;
  const auto outcome = engine::Pipeline(options, setup.seeing()).run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().cause == Cause::internal);
}
