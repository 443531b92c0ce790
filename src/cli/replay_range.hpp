// Which stretch of the past a replay loads: resolved once, and kept in the ledger (decision 20).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "app/outputs.hpp"

namespace semel::cli {

/// The pipeline that a replay of `pipeline` is in the ledger.
std::string replay_pipeline(const std::string& pipeline, const std::string& replay);

struct Stretch {
  std::map<TopicPartition, OffsetRange> ranges;
  std::int64_t asked = 0;  ///< a checksum of what the command line said
};

/// What the ledger knows of the stretch of the replay whose pipeline `replay` is; absent: nothing,
/// or there is no ledger.
Result<std::optional<Stretch>> known_stretch(const app::PipelineConfig& replay,
                                             const std::string& output);

/// Writes it into the ledgers of `outputs`, in one transaction of each, where there is none yet;
/// what is there already wins, and is the result.
Result<Stretch> agree_on(const app::PipelineConfig& replay, std::span<const std::string> outputs,
                         const std::string& cluster_id, const Stretch& wanted);

/// Removes what the ledger of `output` has of the replay, which must not be running.
Result<void> forget_replay(const app::PipelineConfig& replay, const std::string& output);

}  // namespace semel::cli
