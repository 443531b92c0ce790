#include "core/protocol.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::core;

namespace {

const TopicPartition tp{"clicks", 3};
// Of batch 2000, under epoch 7; the ledger came to 100 with batch 1000.
const Task task{.time = {2'000},
                .range = {tp, 100, 200},
                .epoch = 7,
                .last = {},
                .moved_by = BatchTime{1'000},
                .reason = {}};

LedgerEntry entry(std::optional<Offset> until, std::int64_t epoch = 7, std::string owner = "me",
                  std::int64_t time = 1'000) {
  return {.until = until,
          .epoch = epoch,
          .owner = std::move(owner),
          .owner_description = {},
          .since = {},
          .batch_time = {time}};
}

PlannedRange load(Offset from, Offset until, std::int32_t partition = 3) {
  return {.range = {{"clicks", partition}, from, until}, .kind = TaskKind::load, .reason = {}};
}

Progress recorded_at(Offset until, std::int64_t time = 0, std::int32_t partition = 3) {
  return {.tp = {"clicks", partition}, .until = until, .batch_time = {time}, .last = {}};
}

}  // namespace

TEST_CASE("a doubt is resolved by where the ledger stands") {
  CHECK(judge(entry(200, 7, "me", 2'000), task, "me") == Verdict::committed);
  CHECK(judge(entry(100), task, "me") == Verdict::not_committed);
}

TEST_CASE("a higher epoch fences, and so does the same epoch with another owner") {
  CHECK(judge(entry(100, 8, "other"), task, "me") == Verdict::fenced);
  CHECK(judge(entry(100, 7, "other"), task, "me") == Verdict::fenced);
  CHECK(judge(entry(200, 7, "other"), task, "me") == Verdict::fenced);
  CHECK(judge_owner(entry({}, 8), 7, "me") == Verdict::fenced);
}

TEST_CASE("a lower epoch or a missing row means that the ledger went back") {
  CHECK(judge(entry(100, 6), task, "me") == Verdict::went_back);
  CHECK(judge(entry({}, -1, ""), task, "me") == Verdict::went_back);
  CHECK(judge(entry({}, 7), task, "me") == Verdict::went_back);
}

TEST_CASE("a ledger of our own that stands before the range went back with its last commits") {
  CHECK(judge(entry(50), task, "me") == Verdict::went_back);
}

TEST_CASE("the same offset in another history went back, too") {
  CHECK(judge(entry(100, 7, "me", 900), task, "me") == Verdict::went_back);
  auto unknown = task;
  unknown.moved_by.reset();
  CHECK(judge(entry(100, 7, "me", 900), unknown, "me") == Verdict::not_committed);
}

TEST_CASE("the end of the range, but by another batch, is not this commit") {
  CHECK(judge(entry(200, 7, "me", 1'500), task, "me") == Verdict::broken);
}

TEST_CASE("a ledger of our own that stands further is a bug, never a guess") {
  CHECK(judge(entry(150), task, "me") == Verdict::broken);
  CHECK(judge(entry(900), task, "me") == Verdict::broken);
}

TEST_CASE("a recovered loss is not believed, nor what was planned behind it") {
  auto lost = load(100, 0);
  lost.kind = TaskKind::lost;
  const std::vector<Batch> batches{{{1'000}, {lost}}, {{2'000}, {load(0, 50)}}};
  const auto result = reconcile(batches, std::vector{recorded_at(100)});
  CHECK(result.batches.empty());
  CHECK(result.forget == std::vector<BatchTime>{{1'000}, {2'000}});
}

TEST_CASE("recovered ranges are the original ones while the ledger agrees") {
  const std::vector<Batch> batches{{{1'000}, {load(100, 200)}}, {{2'000}, {load(200, 300)}}};
  const auto result = reconcile(batches, std::vector{recorded_at(100)});
  CHECK(result.batches == batches);
  CHECK(result.forget.empty());
}

TEST_CASE("a recovered batch that was committed is forgotten, and the next one kept") {
  const std::vector<Batch> batches{{{1'000}, {load(100, 200)}}, {{2'000}, {load(200, 300)}}};
  const auto result = reconcile(batches, std::vector{recorded_at(200, 1'000)});
  REQUIRE(result.batches.size() == 1);
  CHECK(result.batches[0].time == BatchTime{2'000});
  CHECK(result.forget == std::vector{BatchTime{1'000}});
}

TEST_CASE("contained, overlapping, disjoint and unknown ranges are dropped: the ledger wins") {
  for (const auto standing : {Offset{150}, Offset{50}, Offset{250}}) {
    const auto result = reconcile(std::vector{Batch{{1'000}, {load(100, 200)}}},
                                  std::vector{recorded_at(standing)});
    CHECK(result.batches.empty());
    CHECK(result.forget.size() == 1);
  }
  CHECK(reconcile(std::vector{Batch{{1'000}, {load(100, 200, 9)}}}, std::vector{recorded_at(100)})
            .batches.empty());
}

TEST_CASE("a batch keeps the ranges that are true and loses the others") {
  const std::vector<Batch> batches{{{1'000}, {load(100, 200, 1), load(100, 200, 2)}}};
  const auto result =
      reconcile(batches, std::vector{recorded_at(200, 1'000, 1), recorded_at(100, 0, 2)});
  REQUIRE(result.batches.size() == 1);
  CHECK(result.batches[0].ranges == std::vector{load(100, 200, 2)});
}

TEST_CASE("a recovered batch that is not newer than the ledger's is planned anew") {
  const auto result = reconcile(std::vector{Batch{{1'000}, {load(100, 200)}}},
                                std::vector{recorded_at(100, 1'000)});
  CHECK(result.batches.empty());
}

TEST_CASE("a plan that was several batches for an output behind the others is none of its own") {
  for (const Offset batches : {1, 2}) {
    const PlannedRange clock{.range = {batches_partition(), 0, batches * positions_per_batch},
                             .kind = TaskKind::load,
                             .reason = {}};
    const auto result =
        reconcile(std::vector{Batch{{1'000}, {load(100, 200), clock}}},
                  std::vector{recorded_at(100), Progress{.tp = batches_partition(), .last = {}}},
                  std::nullopt, BatchClock::with_records);
    CHECK(result.batches.size() == (batches == 1 ? 1 : 0));
  }
}
