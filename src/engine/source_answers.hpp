// What the source answers to the driver's questions, asked in the caller's thread.
#pragma once

#include <vector>

#include <semel/types.hpp>

#include "core/driver.hpp"
#include "source/interface.hpp"

namespace semel::engine {

/// Blocks for some questions of 5 s each at most. OffsetsSeen or OffsetsFailed; Broke where another
/// cluster answers.
core::EventBody answer(source::Planner& client, const core::AskOffsets& request);

/// Where partitions begin that the ledger does not know.
struct Starts {
  std::vector<Progress> starts;         ///< to be entered into the ledger
  std::vector<core::EventBody> others;  ///< EnterFailed for the rest; Broke
};
Starts starts_of(source::Planner& client, const core::EnterPartitions& request,
                 const kafka::Start& start, kafka::BelowEarliest below);

}  // namespace semel::engine
