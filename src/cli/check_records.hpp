// The part of `semel check` that reads records: the right to read is known only by reading.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include <semel/check.hpp>
#include <semel/types.hpp>

#include "config/pipeline_config.hpp"
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

/// Where the pipeline goes on by its ledger, or begins by the configuration.
Result<ReadFroms> read_froms(const config::PipelineConfig& config, kafka::PlannerClient& client,
                             const std::vector<TopicPartition>& sources,
                             const std::vector<Progress>& progress);

struct ReadTopics {
  int not_tried = 0;  ///< topics without a record, beyond the first few: each takes a second
};

/// Up to `per_topic` records of each topic, from where reading would begin. A topic that holds
/// nothing new is read all the same, so that a missing right shows: its records are not handed out.
Result<ReadTopics> read_records(const config::PipelineConfig& config, const ReadFroms& from,
                                std::size_t per_topic, const TakeRecords& take);

/// Prints what each record would become, and how well the columns are filled.
void print_sample(const std::vector<SampledRecord>& sampled);

}  // namespace semel::cli
