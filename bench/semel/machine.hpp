// What a report says about where it was made.
#pragma once

#include <optional>

#include "bench/semel/origin.hpp"
#include "bench/semel/venue.hpp"

namespace semel::bench {

/// Without the command.
Origin origin_of(Venue& venue);

/// The load average of the last minute; nothing where the system does not say.
std::optional<double> load_average();

}  // namespace semel::bench
