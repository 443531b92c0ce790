#include "core/planner.hpp"

#include <limits>

#include "support/catch.hpp"

using namespace semel;
using namespace semel::core;

namespace {

std::vector<Plannable> lags(std::initializer_list<Offset> sizes) {
  std::vector<Plannable> result;
  for (const auto size : sizes) {
    result.push_back({{"t", static_cast<std::int32_t>(result.size())}, 100, 100 + size});
  }
  return result;
}

std::int64_t size(const OffsetRange& range) {
  return range.until - range.from;
}

}  // namespace

TEST_CASE("nothing is planned where nothing is new") {
  CHECK(plan_ranges(lags({0, 0}), {}, {}).empty());
  CHECK(plan_ranges({}, {}, {}).empty());
}

TEST_CASE("everything is planned where no limit is reached, from the position on") {
  const auto ranges = plan_ranges(lags({5, 0, 7}), {}, {});
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0] == OffsetRange{{"t", 0}, 100, 105});
  CHECK(ranges[1] == OffsetRange{{"t", 2}, 100, 107});
}

TEST_CASE("max_records is split in proportion to the lags") {
  const auto ranges = plan_ranges(lags({900, 100}), {.max_records = 100}, {});
  REQUIRE(ranges.size() == 2);
  CHECK(size(ranges[0]) == 90);
  CHECK(size(ranges[1]) == 10);
}

TEST_CASE("small partitions are not starved and nothing is rounded to zero") {
  const auto ranges = plan_ranges(lags({1'000'000, 3, 1}), {.max_records = 10}, {});
  REQUIRE(ranges.size() == 3);
  CHECK(size(ranges[1]) == 1);
  CHECK(size(ranges[2]) == 1);
  const auto floor =
      plan_ranges(lags({1'000'000, 50}), {.max_records = 100, .min_records_per_partition = 20}, {});
  CHECK(size(floor[1]) == 20);
}

TEST_CASE("a limit of the largest integer does not overflow") {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  const std::vector<Plannable> whole{{{"t", 0}, 0, largest}, {{"t", 1}, 0, largest}};
  for (const auto& range :
       plan_ranges(whole, {.max_records = largest, .max_records_per_partition = largest}, {})) {
    CHECK(range.from < range.until);
  }
  CHECK(plan_ranges(lags({10}), {.max_records = largest}, {.rate = 1e300}).size() == 1);
}

TEST_CASE("max_records_per_partition bounds a range whatever the budget") {
  const auto ranges = plan_ranges(lags({1'000'000}), {.max_records_per_partition = 1'000}, {});
  CHECK(size(ranges.at(0)) == 1'000);
}

TEST_CASE("the rate is turned into a budget for one interval") {
  const auto ranges = plan_ranges(lags({1'000'000}), {.interval_ms = 500}, {.rate = 2'000.0});
  CHECK(size(ranges.at(0)) == 1'000);
}

TEST_CASE("max_bytes bounds by the mean record size, and not before one is known") {
  const Limits limits{.max_bytes = 10'000};
  CHECK(size(plan_ranges(lags({5'000}), limits, {}).at(0)) == 5'000);
  CHECK(size(plan_ranges(lags({5'000}), limits, {.mean_record_bytes = 100}).at(0)) == 100);
}

TEST_CASE("the same state gives the same split after a restart") {
  const auto state = lags({123, 4'567, 89});
  CHECK(plan_ranges(state, {.max_records = 77}, {}) == plan_ranges(state, {.max_records = 77}, {}));
}

TEST_CASE("batch times are multiples of the interval while the clock allows, and always rise") {
  CHECK(next_batch_time(10'130, 250, {9'000}) == BatchTime{10'000});
  CHECK(next_batch_time(10'130, 250, {10'000}) == BatchTime{10'130});
  CHECK(next_batch_time(10'130, 250, {10'130}) == BatchTime{10'131});
  SECTION("also when the clock went back") {
    CHECK(next_batch_time(5, 250, {10'000}) == BatchTime{10'001});
  }
}
