// A pipeline that reads from more than Kafka: for streams.
#pragma once

#include <functional>
#include <memory>

#include <semel/pipeline.hpp>

#include "source/interface.hpp"

namespace semel {

using AroundKafka =
    std::function<std::shared_ptr<source::Source>(std::shared_ptr<source::Source> kafka)>;

struct PipelineParts {
  /// Pipeline::create(), with what `around` makes of Kafka as its source; called once an output.
  /// Empty: Kafka.
  static Result<Pipeline> create(const Config& config, PipelineSetup setup, AroundKafka around);
};

}  // namespace semel
