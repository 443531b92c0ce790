// The configuration file that the measured pipeline is run with.
#pragma once

#include <string>

#include "app/pipeline_config.hpp"

namespace semel::bench {

/// The whole configuration as TOML that `semel run` reads, secrets included: for a file that only
/// its user can read. Not the mapping of columns, which is of another table.
std::string write_configuration(const app::PipelineConfig& config);

}  // namespace semel::bench
