// When to try again: exponential back-off as a function of how often it failed.
#pragma once

#include <cstdint>

#include <semel/error.hpp>

namespace semel::core {

struct RetryPolicy {
  int max_failures = 8;  ///< of one range in a row, `unavailable` ones not counted
  std::int64_t backoff_ms_min = 100;
  std::int64_t backoff_ms_max = 10'000;
};

/// What became of a failure.
struct RetryDecision {
  bool give_up = false;
  std::int64_t delay_ms = 0;  ///< when not giving up
};

/// `failures` counts this one: 1 for the first. `unavailable` is retried without limit, the other
/// retriable kinds up to `max_failures`; `fatal` and `data_loss` are never retried. `jitter` in
/// [0, 1) spreads the delay between half and the whole of the exponential value.
RetryDecision decide_retry(const RetryPolicy& policy, ErrorKind kind, int failures, double jitter);

/// After so many failures in a row another one is the last for what is counted; an outage has
/// lasted long enough to look whether it is one.
bool last_chance(const RetryPolicy& policy, int failures);

}  // namespace semel::core
