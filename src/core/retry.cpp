#include "core/retry.hpp"

#include <algorithm>

namespace semel::core {

RetryDecision decide_retry(const RetryPolicy& policy, ErrorKind kind, int failures, double jitter) {
  const bool counted = kind != ErrorKind::unavailable;
  const bool hopeless = kind == ErrorKind::fatal || kind == ErrorKind::data_loss;
  if (hopeless || (counted && failures >= policy.max_failures)) return {.give_up = true};

  // 2^20 times any minimum is beyond every sensible maximum: no overflow, no long loop.
  const int doublings = std::clamp(failures - 1, 0, 20);
  const std::int64_t whole =
      std::min(policy.backoff_ms_max, policy.backoff_ms_min * (std::int64_t{1} << doublings));
  const auto half = whole / 2;
  return {.give_up = false,
          .delay_ms = half + static_cast<std::int64_t>(static_cast<double>(whole - half) * jitter)};
}

bool last_chance(const RetryPolicy& policy, int failures) {
  return failures + 1 >= policy.max_failures;
}

}  // namespace semel::core
