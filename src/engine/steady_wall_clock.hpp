// The time that names batches.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/wall_clock.hpp"

namespace semel::engine {

/// Milliseconds since the epoch that do not jump: the wall clock as it was at the start, moved on
/// by the monotonic one. Any thread.
class SteadyWallClock {
 public:
  using Monotonic = std::chrono::steady_clock;

  std::int64_t now_ms() const {
    return start_wall_ms_ +
           std::chrono::duration_cast<std::chrono::milliseconds>(Monotonic::now() - start_).count();
  }
  Monotonic::time_point at(std::int64_t ms) const {
    // Far deadlines (nothing due) are cut: waking up once an hour costs nothing.
    const auto delta =
        std::min<std::int64_t>(ms - start_wall_ms_, now_ms() - start_wall_ms_ + 3'600'000);
    return start_ + std::chrono::milliseconds(delta);
  }

 private:
  Monotonic::time_point start_ = Monotonic::now();
  std::int64_t start_wall_ms_ = wall_clock_ms();
};

}  // namespace semel::engine
