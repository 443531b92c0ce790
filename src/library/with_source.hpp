// A pipeline that reads from more than Kafka, for streams; and one whose configuration was changed
// behind what people write, for commands.
#pragma once

#include <functional>
#include <memory>

#include <semel/pipeline.hpp>

#include "app/pipeline_config.hpp"
#include "source/interface.hpp"

namespace semel {

using AroundKafka =
    std::function<std::shared_ptr<source::Source>(std::shared_ptr<source::Source> kafka)>;

struct PipelineParts {
  /// Pipeline::create(), with what `around` makes of Kafka as its source; called once an output.
  /// Empty: Kafka.
  static Result<Pipeline> create(const Config& config, PipelineSetup setup, AroundKafka around);
  /// Of a configuration that is read.
  static Result<Pipeline> create(app::PipelineConfig config, PipelineSetup setup);
};

}  // namespace semel
