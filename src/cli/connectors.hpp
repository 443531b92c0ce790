// The sinks there are, in an explicit table: what the commands need of each.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <semel/ledger.hpp>

#include "config/pipeline_config.hpp"
#include "engine/pipeline.hpp"

namespace semel::cli {

/// One line of `semel check`.
struct Finding {
  bool ok = false;
  std::string what;
  std::string remedy;  ///< empty when ok
};

struct Connector {
  std::string_view name;                                 ///< of the section [sink.NAME]
  std::string (*target)(const config::PipelineConfig&);  ///< "postgres table clicks"
  engine::SinkFactory (*sink_factory)(const config::PipelineConfig&);
  Result<std::unique_ptr<Ledger>> (*open_ledger)(const config::PipelineConfig&);
  std::vector<Finding> (*check)(const config::PipelineConfig&);
  std::string (*ddl)(const config::PipelineConfig&);
};

std::span<const Connector> connectors();
/// The one that this configuration writes to.
const Connector& connector_of(const config::PipelineConfig& config);

}  // namespace semel::cli
