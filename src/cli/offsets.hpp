// What the files of `semel offsets` share.
#pragma once

#include <string>
#include <vector>

#include <semel/error.hpp>

#include "cli/command.hpp"
#include "cli/positions.hpp"

namespace semel::cli {

struct OffsetsOptions : FileOptions {
  std::string action;
  std::vector<std::string> positions;  ///< TOPIC:PARTITION=OFFSET
  std::string to;
  std::string state;  ///< --state; empty: not said
  bool force = false;
  bool dry_run = false;
};

/// What the command line names, in the order of partitions.
Result<std::vector<Progress>> wanted_positions(const app::PipelineConfig& config,
                                               const OffsetsOptions& options, const Positions& now);

/// Prints what becomes of each partition, and refuses what is probably not meant, but with --force.
Result<void> show_and_check(const OffsetsOptions& options, const std::vector<Progress>& wanted,
                            const Positions& now);

}  // namespace semel::cli
