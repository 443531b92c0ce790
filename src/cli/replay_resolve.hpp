// From what a command line says to offsets.
#pragma once

#include <string>
#include <vector>

#include "cli/replay_range.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

struct Asked {
  const std::vector<std::string>& from;
  const std::vector<std::string>& until;
  const std::string& after;  ///< a replay that was before; empty: `from` counts
  const app::PipelineConfig& live;
  const std::vector<std::string>& outputs;
  const std::vector<TopicPartition>& partitions;  ///< of the pipeline's topics
  kafka::PlannerClient& client;
};

/// Without Stretch::asked. Where an end that was not given as an offset is before the begin,
/// nothing is to be read.
Result<Stretch> resolve_stretch(const Asked& asked);

/// Whether Kafka has the first records still; if not, `on_data_loss` says what that means.
Result<void> begins_in_the_log(const Stretch& stretch, kafka::PlannerClient& client,
                               engine::OnDataLoss on_data_loss);

/// Whether the logs reach to where the stretch ends.
Result<void> ends_in_the_log(const Stretch& stretch, kafka::Options options,
                             const std::string& pipeline);

}  // namespace semel::cli
