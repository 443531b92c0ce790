// Where a pipeline keeps what must survive its process.
#pragma once

#include <string>

#include "engine/options.hpp"

namespace semel::engine {

/// `state_dir` with the user's home in place of ~; by default $XDG_STATE_HOME/semel, else
/// ~/.local/state/semel, else (no home, as for a service) /var/lib/semel.
std::string state_root(const PipelineOptions& options);

/// The folder in it that is named after the pipeline. Not created here.
std::string state_directory(const PipelineOptions& options);

/// Where one output keeps its plan log: in the pipeline's folder, or (any but "default") in
/// outputs/NAME of it. Not created here.
std::string state_directory(const PipelineOptions& options, const std::string& output);

/// Where a stream's pipeline keeps what its stages remember, in the pipeline's folder. Not created
/// here.
std::string directory_of_stages(const PipelineOptions& options);

}  // namespace semel::engine
