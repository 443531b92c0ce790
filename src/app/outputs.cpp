#include "app/outputs.hpp"

#include <algorithm>

#include "app/connectors.hpp"

namespace semel::app {

Output::Output(const PipelineConfig& config, const SinkConfig& sink, bool accept_changed_table)
    : connector_(&*std::ranges::find(connectors(), sink.connector, &Connector::name)),
      options_(sink.options),
      // An executor has one session, and the ledger keeper takes turns with one more.
      context_{.owner = {.pipeline = config.pipeline.name,
                         .output = sink.output,
                         .reads = engine::topics_of(config.pipeline.kafka)},
               .delivery = config.pipeline.delivery,
               .format = config.format,
               .sessions = config.pipeline.executors + 1,
               .log = config.pipeline.log(),
               .accept_changed_table = accept_changed_table} {}

engine::SinkFactory Output::sink_factory() const {
  return [connector = connector_, options = options_, context = context_](const Owner& owner) {
    auto own = context;
    own.owner = owner;
    return connector->make_sink(options, own);
  };
}

std::vector<Output> outputs_of(const PipelineConfig& config, bool accept_changed_table) {
  std::vector<Output> outputs;
  for (const auto& sink : config.sinks) outputs.emplace_back(config, sink, accept_changed_table);
  return outputs;
}

}  // namespace semel::app
