// From Options to librdkafka's properties.
#pragma once

#include <string>

#include <semel/error.hpp>

#include "kafka/handles.hpp"
#include "kafka/options.hpp"

namespace semel::kafka {

/// Errors as validate_passthrough(), whatever the property.
Result<void> set_property(rd_kafka_conf_t* conf, const Options& options,
                          const std::string& property, const std::string& value);

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
/// For a client that writes in transactions.
Result<ConfHandle> transaction_config(const Options& options, const std::string& name,
                                      const TransactionOptions& writing);

/// How many partitions of one reader may hold a full prefetch queue within the memory budget.
constexpr int full_queues_in_budget = 8;

}  // namespace semel::kafka
