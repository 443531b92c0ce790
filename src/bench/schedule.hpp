// When the process is killed. Pure: the same seed gives the same kills on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace semel::bench {

/// For each kill the part of the interval that passes after the first new committed row: in [0, 1).
std::vector<double> kill_parts(std::uint64_t seed, int kills);

/// The interval, shortened where the work (`calm_seconds` from the first committed row to the last,
/// without kills) would be over before the last kill.
double kill_interval(double kill_every_s, double calm_seconds, int kills);

}  // namespace semel::bench
