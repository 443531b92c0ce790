// What a configuration says of its sink.
#pragma once

#include "app/pipeline_config.hpp"
#include "postgres/options.hpp"

namespace semel::test {

/// Of the first sink, which is [sink.postgres].
inline const postgres::Options& postgres_of(const app::PipelineConfig& config) {
  return config.sinks.front().options.as<postgres::Options>();
}

}  // namespace semel::test
