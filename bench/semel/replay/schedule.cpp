#include "bench/semel/replay/schedule.hpp"

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

double kill_interval(double kill_every_s, double seconds_left, int kills_left) {
  // On average half of an interval passes: 0.7 of an even share. Never more than what is left.
  constexpr double share = 1.4;
  return std::min(kill_every_s, share * std::max(seconds_left, 0.0) / (kills_left + 1));
}

}  // namespace semel::bench
