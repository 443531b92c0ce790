// The part of `semel check` that compares where the pipeline begins and goes on with what Kafka's
// logs hold, as `semel run` does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <semel/types.hpp>

#include "app/pipeline_config.hpp"
#include "cli/check_report.hpp"
#include "core/position.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

/// One partition, and where `semel run` would begin to read it.
struct ReadFrom {
  Offset from = 0;
  Offset earliest = 0;
  Offset until = 0;                ///< the latest offset
  std::optional<RecordMark> last;  ///< the last record committed, where one was
};
using ReadFroms = std::map<TopicPartition, ReadFrom>;

/// Partitions that Kafka answered for, and the others.
struct Logs {
  ReadFroms froms;
  std::map<TopicPartition, std::string> silent;  ///< why
  std::size_t starting = 0;                      ///< of `froms`: not in the ledger yet
  std::size_t starting_silently = 0;             ///< of `silent`
  std::int64_t ahead = 0;                        ///< records of `starting` ones up to the ends
};

/// Where the pipeline goes on by its ledger, or begins by the configuration. An error where Kafka
/// answers for no partition, or the configuration does not fit what it answers.
Result<Logs> look_at_logs(const app::PipelineConfig& config, kafka::PlannerClient& client,
                          const std::vector<TopicPartition>& tps,
                          const std::vector<Progress>& progress);

/// What `semel run` ends with where the records from `from` on are lost; nothing where it skips
/// them (on_data_loss), and then `from` is where it goes on.
std::optional<Error> lost(const app::PipelineConfig& config, const TopicPartition& tp,
                          ReadFrom& from, const Error& error, const core::LogBounds& bounds);
std::string skipped(const TopicPartition& tp, Offset from, Offset until);

/// Compares all positions with the logs; false where `semel run` would end. Moves those behind a
/// loss that it would skip.
bool check_positions(const app::PipelineConfig& config, kafka::PlannerClient& client,
                     ReadFroms& froms, CheckReport& findings);

}  // namespace semel::cli
