// Committed rows over time, as inline SVG.
#pragma once

#include <cstdint>
#include <string>

#include "bench/replay/result.hpp"

namespace semel::bench {

/// With a mark on the curve for each kill.
std::string progress_chart(const Run& run, std::int64_t records, double seconds_max);

}  // namespace semel::bench
