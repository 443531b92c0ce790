// The part of `semel check` that reads records: the right to read is known only by reading.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/types.hpp>

#include "app/pipeline_config.hpp"
#include "cli/check_positions.hpp"

namespace semel::cli {

/// The data loss that reading this ends with, in the reader's words; nothing where a record comes.
Result<std::optional<Error>> why_unreadable(const app::PipelineConfig& config,
                                            const TopicPartition& tp, const ReadFrom& from);

struct ReadTopics {
  int not_tried = 0;  ///< topics without a record, beyond the first few: each takes a second
  std::vector<std::string> skipped;  ///< losses that `semel run` would record, for people
};

/// Up to `per_topic` records of each topic, from where reading would begin; of a topic made anew
/// the comparison with what was committed tells. Moves `froms` behind what `semel run` would skip.
/// A topic that holds nothing new is read all the same, so that a missing right shows: its records
/// are not handed out.
Result<ReadTopics> read_records(const app::PipelineConfig& config, ReadFroms& froms,
                                std::size_t per_topic, const TakeRecords& take);

}  // namespace semel::cli
