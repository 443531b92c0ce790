// The whole benchmark: every way without kills, then with them, and the oracle's word on each.
#pragma once

#include <semel/error.hpp>

#include "bench/semel/audience.hpp"
#include "bench/semel/replay/plan.hpp"
#include "bench/semel/replay/result.hpp"

namespace semel::bench {

/// Cleans up behind itself, whatever the outcome. Call it before any thread is started.
Result<Report> replay(const Plan& plan, Audience& audience);

}  // namespace semel::bench
