// The rules of Spark's PIDRateEstimatorSuite, and its arithmetic by hand.
#include "core/rate.hpp"

#include "support/catch.hpp"

using namespace semel::core;

TEST_CASE("the first estimate is none") {
  RateEstimator estimator({});
  CHECK_FALSE(estimator.update({.now_ms = 0, .records = 10, .processing_ms = 10}));
}

TEST_CASE("there is no estimate without records, without processing time, or back in time") {
  RateEstimator estimator({});
  estimator.update({.now_ms = 1'000, .records = 10, .processing_ms = 10});
  CHECK_FALSE(estimator.update({.now_ms = 2'000, .records = 0, .processing_ms = 10}));
  CHECK_FALSE(estimator.update({.now_ms = 2'000, .records = 10, .processing_ms = 0}));
  CHECK_FALSE(estimator.update({.now_ms = 1'000, .records = 10, .processing_ms = 10}));
}

TEST_CASE("the estimate is never under the minimum") {
  RateEstimator estimator({.min_rate = 100});
  estimator.update({.now_ms = 0, .records = 1, .processing_ms = 1'000});
  for (int i = 1; i < 20; ++i) {
    const auto rate = estimator.update(
        {.now_ms = i * 1'000, .records = 1, .processing_ms = 1'000, .scheduling_delay_ms = 60'000});
    REQUIRE(rate);
    CHECK(*rate == 100);
  }
}

TEST_CASE("with P = 1 and no waiting the estimate is the processing rate") {
  RateEstimator estimator({});
  estimator.update({.now_ms = 1'000, .records = 1'000, .processing_ms = 1'000});
  CHECK(estimator.update({.now_ms = 2'000, .records = 5'000, .processing_ms = 1'000}) == 5'000.0);
}

TEST_CASE("waiting lowers the estimate by the integral share of what waited") {
  RateEstimator estimator({.interval_ms = 1'000});
  estimator.update({.now_ms = 1'000, .records = 1'000, .processing_ms = 1'000});
  // 1000 − 0.2 × (500 ms × 1000/s ÷ 1000 ms) = 900
  CHECK(*estimator.update({.now_ms = 2'000,
                           .records = 1'000,
                           .processing_ms = 1'000,
                           .scheduling_delay_ms = 500}) == Approx(900));
}
