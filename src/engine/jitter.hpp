// Randomness for back-off, drawn outside the core so that the core stays a function of its input.
#pragma once

#include <random>

namespace semel::engine {

/// In [0, 1). Thread safe.
inline double jitter() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

}  // namespace semel::engine
