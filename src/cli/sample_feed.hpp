// The next records of a pipeline, for commands that look at what would become of them.
#pragma once

#include <cstddef>

#include <semel/check.hpp>

#include "app/outputs.hpp"
#include "app/pipeline_config.hpp"

namespace semel::cli {

/// So many of each topic at most.
inline constexpr int sample_max = 10'000;

/// Hands out up to `per_topic` records of each topic, from where `semel run` would go on with
/// `output`, or begin.
Result<void> feed_sample(const app::PipelineConfig& config, const app::Output& output,
                         std::size_t per_topic, const TakeRecords& take);

}  // namespace semel::cli
