// The settings that are no sink's, declared: they fill a PipelineConfig.
#pragma once

#include <vector>

#include "app/pipeline_config.hpp"
#include "config/load.hpp"
#include "config/setting.hpp"

namespace semel::app {

std::vector<config::Setting> pipeline_settings();
std::vector<config::Setting> kafka_settings();
std::vector<config::Setting> http_settings();

// What no setting can know alone.
void check_pipeline(const PipelineConfig& config, config::Whole& file);
void check_kafka(const PipelineConfig& config, config::Whole& file);
void check_http(const HttpConfig& config, config::Whole& file);

}  // namespace semel::app
