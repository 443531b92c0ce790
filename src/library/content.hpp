// What a Config holds until somebody reads it.
#pragma once

#include <semel/config.hpp>

#include <string>
#include <vector>

#include "app/pipeline_config.hpp"

namespace semel {

struct Config::Content {
  std::string text;  ///< TOML
  std::string name = "Config";
  std::vector<config::Override> overrides;  ///< later ones win
};

/// Read and checked; the program brings `own_outputs` itself.
Result<app::PipelineConfig> read(const Config::Content& content,
                                 const std::vector<std::string>& own_outputs);

}  // namespace semel
