// What a running pipeline shows: read by the progress bar and the log.
#pragma once

#include <semel/snapshot.hpp>

#include "metrics/output.hpp"

namespace semel::engine {

using semel::Snapshot;

/// The metrics of one moment, as numbers.
Snapshot snapshot_of(const metrics::OutputMetrics& metrics);

}  // namespace semel::engine
