// Committed rows over time, as inline SVG.
#pragma once

#include <string>

#include "bench/semel/replay/result.hpp"

namespace semel::bench {

/// The runs with kills of all ways in one drawing, each in a class of its own ("c0", "c1" ... by
/// its Kind), with a mark on the curve for each kill.
std::string progress_chart(const Report& report);

}  // namespace semel::bench
