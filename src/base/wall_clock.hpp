// The time of day.
#pragma once

#include <chrono>
#include <cstdint>

namespace semel {

/// Milliseconds since 1970, UTC. May jump, and go back.
inline std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace semel
