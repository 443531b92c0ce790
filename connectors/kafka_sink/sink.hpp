// The owner of an output, as the pipeline uses it.
#pragma once

#include <memory>
#include <vector>

#include <semel/check.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "kafka_sink/shared.hpp"

namespace semel::kafka_sink {

// As the functions of a Connector.
Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context);
Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const SinkContext& context);
std::vector<Finding> check(const Options& options, const SinkContext& context);
Result<std::vector<SampledRecord>> sample(const Options& options, const SinkContext& context,
                                          const RecordFeed& feed);

/// Of a topic that is read and written, fatal (Cause::configuration): it would never end.
Result<void> is_no_loop(const Shared& shared, const TopicPartition& tp);

}  // namespace semel::kafka_sink
