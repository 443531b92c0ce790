#include "cli/sample_feed.hpp"

#include <utility>
#include <vector>

#include "cli/check_positions.hpp"
#include "cli/check_records.hpp"
#include "cli/positions.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

namespace {

constexpr int listing_timeout_ms = 10'000;

std::vector<Progress> progress_of(const app::Output& output) {
  auto ledger = output.open_ledger();
  if (!ledger) return {};
  auto progress = (*ledger)->progress();
  return progress ? *std::move(progress) : std::vector<Progress>();
}

}  // namespace

Result<void> feed_sample(const app::PipelineConfig& config, const app::Output& output,
                         std::size_t per_topic, const TakeRecords& take) {
  const auto progress = progress_of(output);
  auto with_topics = config;
  if (auto asked = asked_of_kafka(config, progress)) {
    with_topics.pipeline.kafka = *std::move(asked);
  }
  auto client = kafka::PlannerClient::connect(with_topics.pipeline.kafka, config.pipeline.name);
  if (!client) return tl::unexpected(client.error());
  const auto listed = (*client)->discover(listing_timeout_ms);
  if (!listed) return tl::unexpected(listed.error());
  auto logs = look_at_logs(with_topics, **client, listed->partitions, progress);
  if (!logs) return tl::unexpected(logs.error());
  const auto read = read_records(with_topics, logs->froms, per_topic, take);
  return read ? Result<void>() : tl::unexpected(read.error());
}

}  // namespace semel::cli
