// Kafka as a source.
#pragma once

#include <memory>
#include <string>

#include "kafka/options.hpp"
#include "source/interface.hpp"

namespace semel::source {

/// As kafka::PlannerClient::connect() and kafka::RangeReader::connect().
Result<std::unique_ptr<Planner>> kafka_planner(const kafka::Options& options,
                                               const std::string& pipeline);
Result<std::unique_ptr<Reader>> kafka_reader(const kafka::Options& options,
                                             const std::string& pipeline);

std::shared_ptr<Source> kafka_source(kafka::Options options, std::string pipeline);

}  // namespace semel::source
