// What monitoring sees of a running pipeline.
#pragma once

#include <memory>
#include <string>

#include <semel/error.hpp>

#include "app/pipeline_config.hpp"
#include "base/log.hpp"
#include "engine/pipeline.hpp"
#include "http/server.hpp"

namespace semel {

/// All metrics of this process, in the text format of Prometheus.
std::string metrics_text(const engine::Pipeline& pipeline, const app::HttpConfig& config);

/// Whether its threads come round: 200 "ok", or 503 with a line for each that does not.
http::Page health_of(const metrics::PipelineMetrics& pipeline);

/// Whether each output is taken over, and Kafka and its sink answer: 200 or 503, with the reasons
/// as JSON.
http::Page readiness_of(const metrics::PipelineMetrics& pipeline);

/// /metrics, /healthz and /readyz, where they are wanted; nullptr where they are not. The pipeline
/// lives longer.
Result<std::unique_ptr<http::Server>> serve(const app::HttpConfig& config,
                                            const engine::Pipeline& pipeline, const Log& log);

}  // namespace semel
