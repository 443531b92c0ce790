// How fast a full topic becomes a table: `semel run --once`, several times, each into a table of
// its own.
#pragma once

#include <semel/error.hpp>

#include "bench/semel/audience.hpp"
#include "bench/semel/throughput/result.hpp"

namespace semel::bench {

/// Cleans up behind itself, whatever the outcome. Call it before any thread is started.
Result<ThroughputReport> throughput(const Setup& setup, int runs, Audience& audience);

}  // namespace semel::bench
