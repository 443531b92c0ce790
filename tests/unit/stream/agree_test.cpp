#include "stream/agree.hpp"
#include "support/catch.hpp"

namespace semel::test {

using stream::agree;
using stream::Standing;

namespace {

const TopicPartition a0{"a", 0};
const TopicPartition a1{"a", 1};

Progress at(const TopicPartition& tp, Offset until, std::int64_t time_ms) {
  return {.tp = tp, .until = until, .batch_time = {time_ms}, .last = RecordMark{until - 1, 0, 1}};
}

/// Behind which there is no record.
Progress unmarked(const TopicPartition& tp, Offset until, std::int64_t time_ms) {
  return {.tp = tp, .until = until, .batch_time = {time_ms}, .last = std::nullopt};
}

}  // namespace

TEST_CASE("outputs that stand at one place go on from there") {
  const std::vector<Standing> all{{"one", {at(a0, 5, 10), at(a1, 7, 10)}, {10}},
                                  {"two", {at(a0, 5, 10), at(a1, 7, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK(agreed->progress == all[0].progress);
  CHECK(agreed->highest_batch_time == BatchTime{10});
  CHECK_FALSE(agreed->pending);
}

TEST_CASE("what one output has and another lacks is the batch to do first") {
  const std::vector<Standing> all{{"one", {at(a0, 9, 20), at(a1, 7, 10)}, {20}},
                                  {"two", {at(a0, 5, 10), at(a1, 7, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK(agreed->progress == all[1].progress);
  CHECK(agreed->highest_batch_time == BatchTime{10});
  REQUIRE(agreed->pending);
  CHECK(agreed->pending->time == BatchTime{20});
  CHECK(agreed->pending->ranges == std::vector<OffsetRange>{{a0, 5, 9}});
}

TEST_CASE("of three outputs, any may be ahead") {
  for (int ahead = 1; ahead < 7; ++ahead) {
    std::vector<Standing> all;
    for (int i = 0; i < 3; ++i) {
      const bool has = (ahead >> i & 1) != 0;
      all.push_back({std::to_string(i), {at(a0, has ? 9 : 5, has ? 20 : 10)}, {has ? 20 : 10}});
    }
    const auto agreed = agree(all);
    INFO(ahead);
    REQUIRE(agreed);
    REQUIRE(agreed->pending);
    CHECK(agreed->progress == std::vector<Progress>{at(a0, 5, 10)});
    CHECK(agreed->pending->ranges == std::vector<OffsetRange>{{a0, 5, 9}});
  }
}

TEST_CASE("a range that one output has recorded as lost is recorded by the others, and not read") {
  const RecordMark mark{4, 0, 1};
  const auto read = [&](Offset until, std::int64_t time) {
    return Progress{.tp = a0, .until = until, .batch_time = {time}, .last = mark};
  };
  const std::vector<Standing> all{{"one", {unmarked(a0, 9, 20), at(a1, 7, 10)}, {20}},
                                  {"two", {read(5, 10), at(a1, 7, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK_FALSE(agreed->pending);
  CHECK(agreed->progress == all[0].progress);
  CHECK(agreed->lost[0].empty());
  REQUIRE(agreed->lost[1].size() == 1);
  CHECK(agreed->lost[1][0].range == OffsetRange{a0, 5, 9});
  CHECK(agreed->lost[1][0].time == BatchTime{20});
  CHECK(agreed->lost[1][0].moved_by == BatchTime{10});
}

TEST_CASE("a range without records that a batch has moved is pending, and not lost") {
  const TopicPartition batches{"~batches", 0};
  const Progress read{.tp = a0, .until = 5, .batch_time = {10}, .last = RecordMark{4, 0, 1}};
  const std::vector<Standing> all{{"one", {unmarked(a0, 9, 20), at(batches, 2, 20)}, {20}},
                                  {"two", {read, at(batches, 1, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK(agreed->lost[1].empty());
  REQUIRE(agreed->pending);
  CHECK(agreed->pending->ranges == std::vector<OffsetRange>{{a0, 5, 9}, {batches, 1, 2}});
}

TEST_CASE("behind a lost range a batch may be pending") {
  const RecordMark mark{4, 0, 1};
  const auto read = [&](const TopicPartition& tp, Offset until, std::int64_t time) {
    return Progress{.tp = tp, .until = until, .batch_time = {time}, .last = mark};
  };
  const std::vector<Standing> all{{"one", {unmarked(a0, 9, 20), read(a1, 7, 30)}, {30}},
                                  {"two", {read(a0, 5, 10), read(a1, 3, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  REQUIRE(agreed->pending);
  CHECK(agreed->pending->ranges == std::vector<OffsetRange>{{a1, 3, 7}});
  CHECK(agreed->lost[1].size() == 1);
}

TEST_CASE("an output that is new begins where the others stand") {
  const std::vector<Standing> all{{"old", {at(a0, 5, 10)}, {10}}, {"new", {}, {}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK_FALSE(agreed->pending);
  CHECK(agreed->progress == all[0].progress);
  CHECK(agreed->to_enter[0].empty());
  CHECK(agreed->to_enter[1] == all[0].progress);
}

TEST_CASE("a partition that only some have entered is entered by the others") {
  const std::vector<Standing> all{{"one", {at(a0, 5, 10), unmarked(a1, 0, 11)}, {11}},
                                  {"two", {at(a0, 5, 10)}, {10}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK_FALSE(agreed->pending);
  CHECK(agreed->progress == all[0].progress);
  CHECK(agreed->to_enter[1] == std::vector<Progress>{unmarked(a1, 0, 11)});
}

TEST_CASE("a ledger that lacks a partition of which another has records was restored") {
  auto known = at(a1, 3, 11);
  known.last = RecordMark{2, 0, 7};
  const auto agreed = agree(
      std::vector<Standing>{{"one", {at(a0, 5, 10), known}, {11}}, {"two", {at(a0, 5, 10)}, {10}}});
  REQUIRE_FALSE(agreed);
  CHECK_THAT(agreed.error().message, Catch::Contains("two") && Catch::Contains("a[1]"));
}

TEST_CASE("who knows partitions and lacks ~batches stands at its beginning") {
  const TopicPartition batches{std::string(batches_topic), 0};
  const auto agreed = agree(std::vector<Standing>{
      {"one", {at(a0, 9, 20), at(batches, 50, 20)}, {20}}, {"two", {at(a0, 5, 10)}, {10}}});
  REQUIRE(agreed);
  REQUIRE(agreed->pending);
  CHECK(agreed->pending->ranges == std::vector<OffsetRange>{{a0, 5, 9}, {batches, 0, 50}});
  CHECK(agreed->progress == std::vector<Progress>{at(a0, 5, 10), unmarked(batches, 0, 0)});
  CHECK(agreed->to_enter[1] == std::vector<Progress>{unmarked(batches, 0, 0)});
}

TEST_CASE("outputs that nobody has used stand nowhere yet") {
  const std::vector<Standing> all{{"one", {}, {}}, {"two", {}, {}}};
  const auto agreed = agree(all);
  REQUIRE(agreed);
  CHECK(agreed->progress.empty());
  CHECK_FALSE(agreed->pending);
}

TEST_CASE("outputs of which each is ahead of the other are not mended") {
  const std::vector<Standing> all{{"one", {at(a0, 9, 20), at(a1, 7, 10)}, {20}},
                                  {"two", {at(a0, 5, 10), at(a1, 8, 20)}, {20}}};
  const auto agreed = agree(all);
  REQUIRE_FALSE(agreed);
  CHECK_THAT(agreed.error().message, Catch::Contains("one") && Catch::Contains("a[0]"));
}

TEST_CASE("outputs at three places are not mended") {
  const std::vector<Standing> all{{"one", {at(a0, 9, 30)}, {30}},
                                  {"two", {at(a0, 5, 10)}, {10}},
                                  {"three", {at(a0, 7, 20)}, {20}}};
  REQUIRE_FALSE(agree(all));
}

}  // namespace semel::test
