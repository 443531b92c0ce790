// How soon a record is a row: produced at a steady rate beside a running pipeline, and looked for
// by a reader on a connection of its own; then a few records at a time.
#pragma once

#include <semel/error.hpp>

#include "bench/semel/audience.hpp"
#include "bench/semel/latency/result.hpp"

namespace semel::bench {

/// The servers are consistent, and the partitions given or filled in.
Result<LatencyPlan> complete(LatencyPlan plan);

/// Cleans up behind itself, whatever the outcome. Call it before any thread is started.
Result<LatencyReport> latency(const LatencyPlan& plan, Audience& audience);

}  // namespace semel::bench
