// The three durations of a batch.
#include "metrics/batch_times.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::metrics;
using namespace std::chrono_literals;

namespace {

double number(const BatchTimes& times, const std::string& name) {
  Page page;
  times.collect(page, {});
  const auto text = page.text();
  const auto at = text.find("\n" + name + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + name.size() + 2));
}

}  // namespace

TEST_CASE("a batch waits until its first range begins, and is processed until all are done") {
  BatchTimes times;
  const BatchTimes::Clock::time_point start{1h};
  times.planned({1}, start);
  times.started({1}, start + 2s);
  times.started({1}, start + 3s);
  times.done({1}, start + 10s);
  CHECK(number(times, "semel_scheduling_delay_seconds_sum") == 2);
  CHECK(number(times, "semel_processing_seconds_sum") == 8);
  CHECK(number(times, "semel_total_delay_seconds_sum") == 10);
  CHECK(number(times, "semel_total_delay_seconds_count") == 1);
}

TEST_CASE("batches that another process planned, or that are planned anew, are not told") {
  BatchTimes times;
  const BatchTimes::Clock::time_point start{1h};
  times.started({1}, start);
  times.done({1}, start);
  times.planned({2}, start);
  times.forget_all();
  times.done({2}, start + 1s);
  CHECK(number(times, "semel_scheduling_delay_seconds_count") == 0);
  CHECK(number(times, "semel_processing_seconds_count") == 0);
  CHECK(number(times, "semel_total_delay_seconds_count") == 0);
}
