// When the process is killed. Pure: the same seed gives the same kills on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace semel::bench {

/// For each kill the part of the interval that passes after the first new committed row: in [0, 1).
std::vector<double> kill_parts(std::uint64_t seed, int kills);

/// The interval of the next kill, shortened where the work that is left would be over before the
/// last of `kills_left`. `seconds_left` is what that work takes without kills.
double kill_interval(double kill_every_s, double seconds_left, int kills_left);

}  // namespace semel::bench
