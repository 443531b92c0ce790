// The sink that is measured: PostgreSQL.
#pragma once

#include "app/pipeline_config.hpp"
#include "postgres/options.hpp"

namespace semel::bench {

/// Of a configuration whose only sink it is.
inline postgres::Options& measured_sink(app::PipelineConfig& config) {
  return config.sinks.front().options.as<postgres::Options>();
}
inline const postgres::Options& measured_sink(const app::PipelineConfig& config) {
  return config.sinks.front().options.as<postgres::Options>();
}

}  // namespace semel::bench
