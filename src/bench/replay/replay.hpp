// The whole benchmark: every way without kills, then with them, and the oracle's word on each.
#pragma once

#include <semel/error.hpp>

#include "bench/audience.hpp"
#include "bench/replay/plan.hpp"
#include "bench/replay/result.hpp"

namespace semel::bench {

/// Cleans up behind itself, whatever the outcome. Call it before any thread is started.
Result<Report> replay(const Plan& plan, Audience& audience);

}  // namespace semel::bench
