// Where partitions begin that the ledger does not know: a word, a moment or given offsets, as
// offsets of the log that is there (protocol, sections 6.1 and 6.2).
#pragma once

#include <span>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/offset_survey.hpp"
#include "kafka/options.hpp"

namespace semel::kafka {

/// As PlannerClient::resolve_start. Blocks for a few questions of `timeout_ms` each. `called`: what
/// says where to start, for people.
Result<PartialOffsets> resolve_start(OffsetSurvey& survey, std::span<const TopicPartition> tps,
                                     const Start& start, BelowEarliest below, int timeout_ms,
                                     const std::string& called);

}  // namespace semel::kafka
