#include "cli/positions.hpp"

#include <algorithm>
#include <span>

#include "base/beside_kafka.hpp"
#include "config/units.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

namespace {

constexpr int positions_timeout_ms = 5'000;

struct KafkaOffsets {
  std::vector<TopicPartition> partitions;
  std::map<TopicPartition, Offset> earliest;
  std::map<TopicPartition, Offset> latest;
  std::map<TopicPartition, Offset> high_watermarks;
};

/// Where the logs end for those who read everything; what cannot be asked is left out.
std::map<TopicPartition, Offset> ask_high_watermarks(kafka::Options options,
                                                     const std::string& pipeline,
                                                     std::span<const TopicPartition> tps) {
  if (options.isolation == kafka::Isolation::read_uncommitted) return {};  // nothing waits for it
  options.isolation = kafka::Isolation::read_uncommitted;
  const auto client = kafka::PlannerClient::connect(options, pipeline);
  if (!client) return {};
  auto ends = (*client)->known_latest(tps, positions_timeout_ms);
  return ends ? std::move(ends->offsets) : std::map<TopicPartition, Offset>{};
}

Result<KafkaOffsets> ask_kafka(const kafka::Options& options, const std::string& pipeline) {
  const auto client = kafka::PlannerClient::connect(options, pipeline);
  if (!client) return tl::unexpected(client.error());
  auto found = (*client)->discover(positions_timeout_ms);
  if (!found) return tl::unexpected(found.error());
  // One partition that says nothing hides no other.
  auto earliest = (*client)->known_earliest(found->partitions, positions_timeout_ms);
  if (!earliest) return tl::unexpected(earliest.error());
  // Before the last stable offsets: what is produced in between waits for nobody.
  auto high_watermarks = ask_high_watermarks(options, pipeline, found->partitions);
  auto latest = (*client)->known_latest(found->partitions, positions_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  return KafkaOffsets{std::move(found->partitions), std::move(earliest->offsets),
                      std::move(latest->offsets), std::move(high_watermarks)};
}

}  // namespace

std::optional<std::int64_t> Position::lag() const {
  if (!latest) return std::nullopt;
  const auto from = progress ? std::optional(progress->until) : earliest;
  if (!from || past_the_end()) return std::nullopt;
  return std::max<std::int64_t>(*latest - *from, 0);
}

bool Position::past_the_end() const {
  return progress && latest && progress->until > *latest;
}

std::int64_t Position::behind_transaction() const {
  return latest && high_watermark ? std::max<std::int64_t>(*high_watermark - *latest, 0) : 0;
}

std::optional<kafka::Options> asked_of_kafka(const app::PipelineConfig& config,
                                             const std::vector<Progress>& progress) {
  if (!config.reads_kafka) return std::nullopt;
  auto options = config.pipeline.kafka;
  if (!options.topics.empty() || !options.topic_pattern.empty()) return options;
  for (const auto& one : progress) {
    if (is_batches(one.tp) || is_beside_kafka(one.tp)) continue;
    if (!options.topics.empty() && options.topics.back() == one.tp.topic) continue;
    options.topics.push_back(one.tp.topic);
  }
  return options.topics.empty() ? std::nullopt : std::optional(std::move(options));
}

Result<Positions> look_up(const app::PipelineConfig& config,
                          const std::vector<Progress>& progress) {
  Positions found;
  std::map<TopicPartition, Position> partitions;
  for (const auto& entry : progress) {
    if (!is_batches(entry.tp)) partitions[entry.tp].progress = entry;
  }
  const auto asked = asked_of_kafka(config, progress);
  found.asked = asked.has_value();
  if (!asked) {
    // What the ledger knows is all there is to say.
  } else if (auto offsets = ask_kafka(*asked, config.pipeline.name)) {
    for (const auto& tp : offsets->partitions) partitions.try_emplace(tp);
    for (const auto& [tp, offset] : offsets->latest) partitions[tp].latest = offset;
    for (const auto& [tp, offset] : offsets->high_watermarks) {
      partitions[tp].high_watermark = offset;
    }
    for (const auto& [tp, offset] : offsets->earliest) partitions[tp].earliest = offset;
  } else if (offsets.error().cause == Cause::configuration) {
    return tl::unexpected(offsets.error());
  } else {
    found.kafka_failure = offsets.error();
  }
  for (auto& [tp, position] : partitions) {
    position.tp = tp;
    found.partitions.push_back(std::move(position));
  }
  return found;
}

std::string when(BatchTime time) {
  return time.ms == 0 ? "-" : config::format_moment(time.ms);
}

}  // namespace semel::cli
