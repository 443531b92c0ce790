// The whole benchmark: every way without kills, then with them, and the oracle's word on each.
#pragma once

#include <functional>
#include <string>

#include <semel/error.hpp>

#include "bench/drill.hpp"
#include "bench/plan.hpp"
#include "bench/result.hpp"

namespace semel::bench {

struct Audience {
  std::function<void(const std::string&)> say;  ///< a line: what begins, what came out
  std::function<bool()> interrupted;            ///< people want it to end
  Progress progress;
};

/// Cleans up behind itself, whatever the outcome. Call it before any thread is started.
Result<Report> replay(const Plan& plan, Audience& audience);

}  // namespace semel::bench
