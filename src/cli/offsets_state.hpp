// semel offsets set where stages remember: positions of all outputs and the state move together.
#pragma once

#include "cli/offsets.hpp"

namespace semel::cli {

/// Whether that is so; then it is done, or told where it is a dry run. A reset is only looked at:
/// it is refused where a set was begun and did not end. False: positions are all there is to move.
Result<bool> set_with_state(const app::PipelineConfig& config, const OffsetsOptions& options);

}  // namespace semel::cli
