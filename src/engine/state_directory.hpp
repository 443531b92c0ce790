// Where a pipeline keeps what must survive its process.
#pragma once

#include <string>

#include "engine/options.hpp"

namespace semel::engine {

/// A folder named after the pipeline in `state_dir`; by default in $XDG_STATE_HOME/semel, else
/// ~/.local/state/semel, else (no home, as for a service) /var/lib/semel. Not created here.
std::string state_directory(const PipelineOptions& options);

}  // namespace semel::engine
