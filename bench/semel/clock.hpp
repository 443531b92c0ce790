// The clocks that processes share.
#pragma once

#include <chrono>
#include <cstdint>

namespace semel::bench {

/// The monotonic clock, the same in all processes.
inline std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

inline double ms(std::int64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

}  // namespace semel::bench
