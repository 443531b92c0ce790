#include "bench/schedule.hpp"

#include <algorithm>
#include <random>

namespace semel::bench {

std::vector<double> kill_parts(std::uint64_t seed, int kills) {
  // The engine is specified to the bit; the library's distributions are not.
  std::mt19937_64 random(seed);
  std::vector<double> parts;
  parts.reserve(static_cast<std::size_t>(std::max(kills, 0)));
  for (int i = 0; i < kills; ++i) parts.push_back(static_cast<double>(random() >> 11) * 0x1p-53);
  return parts;
}

double kill_interval(double kill_every_s, double calm_seconds, int kills) {
  // Half of an interval passes on average; what is committed before it, and the work that a kill
  // throws away, roughly make up for each other.
  return std::min(kill_every_s, 0.8 * std::max(calm_seconds, 0.0) / (kills + 1));
}

}  // namespace semel::bench
