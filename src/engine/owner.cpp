#include "engine/owner.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "base/joined.hpp"
#include "base/process_name.hpp"

namespace semel::engine {

std::string topics_of(const kafka::Options& kafka) {
  if (!kafka.topic_pattern.empty()) return "all that match " + kafka.topic_pattern;
  auto topics = kafka.topics;
  std::ranges::sort(topics);
  return joined(topics, ", ");
}

std::string group_of(const PipelineOptions& options, const std::string& output) {
  const auto& group = options.kafka.group_id.empty() ? options.name : options.kafka.group_id;
  return output == default_output ? group : group + "." + output;
}

Owner new_owner(const PipelineOptions& options, const std::string& output) {
  return {.pipeline = options.name,
          .output = output,
          .id = random_uuid(),
          .description = process_name("semel"),
          .reads = topics_of(options.kafka),
          .heartbeat_ms = options.heartbeat_ms};
}

}  // namespace semel::engine
