#include "app/outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
               .topics = config.pipeline.kafka.topics,
               .topic_pattern =
                   config.found_by.empty() ? config.pipeline.kafka.topic_pattern : config.found_by,
               .sessions = config.pipeline.executors + 1,
               .log = config.pipeline.log(),
               .accept_changed_table = accept_changed_table} {}

std::int64_t Output::session_memory(std::int64_t of_executor) const {
  constexpr std::int64_t least = 1ll << 20;
  constexpr int part = 4;
  if (!connector_->queues_records) return 0;
  return std::clamp(of_executor / part, least, session_memory_max);
}

std::vector<Finding> Output::check(std::vector<std::string> topics) const {
  auto context = context_;
  if (!topics.empty()) context.topics = std::move(topics);
  return connector_->check(options_, context);
}

Result<std::unique_ptr<DeadLetterBox>> Output::open_dead_letters() const {
  if (connector_->open_dead_letters != nullptr) {
    return connector_->open_dead_letters(options_, context_);
  }
  return fail(
      ErrorKind::fatal, Cause::configuration,
      fmt::format("{}: this sink's dead letters are not semel's to bring back; its guide says "
                  "where they are",
                  target()));
}

Result<WrittenAgain> Output::written_again() const {
  if (connector_->written_again == nullptr) return WrittenAgain::doubled;
  return connector_->written_again(options_, context_);
}

engine::SinkFactory Output::sink_factory(std::int64_t session_memory) const {
  return [connector = connector_, options = options_, context = context_,
          session_memory](const Owner& owner) {
    auto own = context;
    own.owner = owner;
    own.session_memory_bytes = session_memory;
    return connector->make_sink(options, own);
  };
}

std::vector<Output> outputs_of(const PipelineConfig& config, bool accept_changed_table) {
  std::vector<Output> outputs;
  for (const auto& sink : config.sinks) outputs.emplace_back(config, sink, accept_changed_table);
  return outputs;
}

}  // namespace semel::app
