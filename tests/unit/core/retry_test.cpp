#include "core/retry.hpp"

#include "support/catch.hpp"

using semel::ErrorKind;
using semel::core::decide_retry;
using semel::core::RetryPolicy;

TEST_CASE("back-off doubles up to its maximum and never overflows") {
  const RetryPolicy policy{.max_failures = 1000, .backoff_ms_min = 100, .backoff_ms_max = 10'000};
  CHECK(decide_retry(policy, ErrorKind::retriable, 1, 0.9999).delay_ms == 99);
  CHECK(decide_retry(policy, ErrorKind::retriable, 2, 0.0).delay_ms == 100);
  CHECK(decide_retry(policy, ErrorKind::retriable, 500, 0.0).delay_ms == 5'000);
}

TEST_CASE("an unreachable server is retried without limit, a failing one up to max_failures") {
  const RetryPolicy policy{.max_failures = 3};
  CHECK_FALSE(decide_retry(policy, ErrorKind::unavailable, 1'000'000, 0.5).give_up);
  CHECK_FALSE(decide_retry(policy, ErrorKind::retriable, 2, 0.5).give_up);
  CHECK(decide_retry(policy, ErrorKind::retriable, 3, 0.5).give_up);
}

TEST_CASE("the last attempt before giving up is known as such") {
  const RetryPolicy policy{.max_failures = 3};
  CHECK_FALSE(semel::core::last_chance(policy, 1));
  CHECK(semel::core::last_chance(policy, 2));
  CHECK(semel::core::last_chance(policy, 1'000));
}

TEST_CASE("what somebody has to mend is never retried") {
  CHECK(decide_retry({}, ErrorKind::fatal, 1, 0.5).give_up);
  CHECK(decide_retry({}, ErrorKind::data_loss, 1, 0.5).give_up);
}
