// The sinks there are, in an explicit table: what the commands need of each.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/ledger.hpp>

#include "config/pipeline_config.hpp"
#include "engine/pipeline.hpp"

namespace semel::cli {

struct Connector {
  std::string_view name;                                 ///< of the section [sink.NAME]
  std::string (*target)(const config::PipelineConfig&);  ///< "postgres table clicks"
  engine::SinkFactory (*sink_factory)(const config::PipelineConfig&);
  Result<std::unique_ptr<Ledger>> (*open_ledger)(const config::PipelineConfig&);
  std::vector<Finding> (*check)(const config::PipelineConfig&);
  /// What the records of the feed would become; writes nothing.
  Result<std::vector<SampledRecord>> (*sample)(const config::PipelineConfig&, const RecordFeed&);
  std::string (*ddl)(const config::PipelineConfig&);
};

std::span<const Connector> connectors();
/// The one that this configuration writes to.
const Connector& connector_of(const config::PipelineConfig& config);

}  // namespace semel::cli
