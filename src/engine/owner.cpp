#include "engine/owner.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <algorithm>

namespace semel::engine {

namespace {

std::string random_uuid() {
  uuid_t id;
  uuid_generate_random(id);
  char text[37];
  uuid_unparse_lower(id, text);
  return text;
}

std::string who_we_are() {
  char host[256] = "unknown host";
  gethostname(host, sizeof host - 1);
  return fmt::format("semel on {}, pid {}", host, getpid());
}

}  // namespace

std::string topics_of(const kafka::Options& kafka) {
  if (!kafka.topic_pattern.empty()) return "all that match " + kafka.topic_pattern;
  auto topics = kafka.topics;
  std::ranges::sort(topics);
  return fmt::format("{}", fmt::join(topics, ", "));
}

std::string group_of(const PipelineOptions& options, const std::string& output) {
  const auto& group = options.kafka.group_id.empty() ? options.name : options.kafka.group_id;
  return output == default_output ? group : group + "." + output;
}

Owner new_owner(const PipelineOptions& options, const std::string& output) {
  return {.pipeline = options.name,
          .output = output,
          .id = random_uuid(),
          .description = who_we_are(),
          .reads = topics_of(options.kafka),
          .heartbeat_ms = options.heartbeat_ms};
}

}  // namespace semel::engine
