// A sink that counts what it is given, and is otherwise the one that it wraps.
#pragma once

#include <memory>
#include <string>

#include <semel/sink.hpp>

#include "metrics/driver_cost.hpp"

namespace semel::bench {

/// `semel run --tally FILE`: records handed to the sink are counted in FILE (see Tally).
Result<std::unique_ptr<Sink>> count_records(std::unique_ptr<Sink> sink, const std::string& file);

/// When such a run is over: what its batches cost the driver, in FILE as well.
Result<void> tell_driver_cost(const metrics::DriverCost& cost, const std::string& file);

}  // namespace semel::bench
