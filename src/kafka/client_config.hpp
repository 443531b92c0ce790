// From Options to librdkafka's properties, and which properties of [source.kafka.librdkafka] are
// refused because they would break a promise.
#pragma once

#include <map>
#include <string>

#include <semel/error.hpp>

#include "kafka/handles.hpp"
#include "kafka/options.hpp"

namespace semel::kafka {

/// Fatal, Cause::configuration: names the property, why it is refused, and the setting to use
/// instead; or repeats what librdkafka says about an unknown property or a bad value. Never holds
/// the value of a property that may be a secret.
Result<void> validate_passthrough(const std::map<std::string, std::string>& properties);

/// For the client that asks for topics and offsets; with a group id only if offsets are committed.
Result<ConfHandle> planner_config(const Options& options, const std::string& pipeline);
/// For a client that asks about a reader's partitions, and looks at single records.
Result<ConfHandle> question_config(const Options& options, const std::string& pipeline);
/// For a client that fetches.
Result<ConfHandle> reader_config(const Options& options, const std::string& pipeline);
/// For a client that keeps its position in Kafka, under the name of a group.
Result<ConfHandle> group_config(const Options& options, const std::string& group);
/// For a client that writes.
Result<ConfHandle> producer_config(const Options& options, const std::string& name,
                                   const WriterOptions& writing);

/// How many partitions of one reader may hold a full prefetch queue within the memory budget.
constexpr int full_queues_in_budget = 8;

}  // namespace semel::kafka
