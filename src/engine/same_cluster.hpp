// Offsets mean something in one Kafka cluster only.
#pragma once

#include <string>

#include <semel/error.hpp>

#include "engine/options.hpp"

namespace semel::engine {

/// data_loss where `recorded`, the cluster in the pipeline's ledger, is another than `found`. An
/// empty one was not recorded yet.
Result<void> same_cluster(const PipelineOptions& options, const std::string& recorded,
                          const std::string& found);

}  // namespace semel::engine
