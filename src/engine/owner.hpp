// Who this process is, to the ledger of an output.
#pragma once

#include <string>

#include <semel/types.hpp>

#include "engine/options.hpp"

namespace semel::engine {

/// "clicks, orders": what a pipeline reads, the same in whatever order it is configured.
std::string topics_of(const kafka::Options& kafka);

/// The group under which Kafka's lag tools see an output. "default" has the pipeline's; two outputs
/// stand at two places, so any other has its own name behind a dot.
std::string group_of(const PipelineOptions& options, const std::string& output);

/// With an id that nobody had before.
Owner new_owner(const PipelineOptions& options, const std::string& output);

}  // namespace semel::engine
