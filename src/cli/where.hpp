// Places in Kafka's logs, as command lines name them.
#pragma once

#include <map>
#include <span>
#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/planner_client.hpp"

namespace semel::cli {

/// TOPIC:PARTITION=OFFSET.
Result<Progress> parse_position(const std::string& text);

/// earliest, latest, a moment, a day, or how long ago; what was understood of the last two is
/// printed. `option`: what it was given to.
Result<kafka::Start> parse_where(const std::string& option, const std::string& where);

/// Where that is in each of `tps`: of all of them, or an error.
Result<std::map<TopicPartition, Offset>> offsets_at(kafka::PlannerClient& client,
                                                    std::span<const TopicPartition> tps,
                                                    const kafka::Start& where);

/// How long Kafka may take for one of these questions.
inline constexpr int where_timeout_ms = 10'000;

}  // namespace semel::cli
