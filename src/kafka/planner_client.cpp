#include "kafka/planner_client.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <algorithm>
#include <chrono>
#include <regex>
#include <string_view>

#include "kafka/client_config.hpp"
#include "kafka/cluster_questions.hpp"

namespace semel::kafka {

namespace {

// With more topics than this one answer about all of them is cheaper than one answer for each.
constexpr std::size_t single_questions = 16;

bool names_internal(std::string_view pattern) {
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  return pattern.starts_with("__");
}

/// For errors: "clicks[0], clicks[2] and 3 more".
std::string names(const std::vector<TopicPartition>& sources) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, sources.size()); ++i) {
    text += (i == 0 ? "" : ", ") + to_string(sources[i]);
  }
  if (sources.size() > shown) text += fmt::format(" and {} more", sources.size() - shown);
  return text;
}

}  // namespace

struct PlannerClient::Impl {
  Options options;
  std::optional<std::regex> pattern;
  std::unique_ptr<Client> client;

  Result<std::vector<TopicState>> ask_listed(int timeout_ms);
  Result<std::vector<TopicState>> ask_matching(int timeout_ms);
  static void on_commit(rd_kafka_t* client, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t* offsets, void* opaque);
};

PlannerClient::PlannerClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlannerClient::~PlannerClient() = default;

Result<std::unique_ptr<PlannerClient>> PlannerClient::connect(const Options& options,
                                                              const std::string& pipeline) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  if (!options.topic_pattern.empty()) {
    try {
      impl->pattern.emplace(options.topic_pattern, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("source.kafka.topic_pattern \"{}\" is not a regular expression: {}",
                              options.topic_pattern, error.what()));
    }
  }
  auto conf = planner_config(options, pipeline);
  if (!conf) return tl::unexpected(conf.error());
  rd_kafka_conf_set_offset_commit_cb(conf->get(), &Impl::on_commit);
  auto client = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options.brokers);
  if (!client) return tl::unexpected(client.error());
  impl->client = *std::move(client);
  return std::unique_ptr<PlannerClient>(new PlannerClient(std::move(impl)));
}

Result<std::vector<TopicState>> PlannerClient::Impl::ask_listed(int timeout_ms) {
  const auto& topics = options.topics;
  if (topics.size() <= single_questions) {
    std::vector<TopicState> states;
    for (const auto& topic : topics) {
      auto state = ask_topic(*client, topic, timeout_ms);
      if (!state) return tl::unexpected(state.error());
      states.push_back(*std::move(state));
    }
    return states;
  }
  auto all = ask_all_topics(*client, timeout_ms);
  if (!all) return all;
  std::vector<TopicState> states;
  for (const auto& topic : topics) {
    const auto found =
        std::ranges::find_if(*all, [&](const auto& state) { return state.name == topic; });
    if (found == all->end()) {
      states.push_back({.name = topic, .exists = false, .error = {}, .has_leader = {}});
    } else {
      states.push_back(*found);
    }
  }
  return states;
}

Result<std::vector<TopicState>> PlannerClient::Impl::ask_matching(int timeout_ms) {
  auto all = ask_all_topics(*client, timeout_ms);
  if (!all) return all;
  const bool internal = names_internal(options.topic_pattern);
  std::erase_if(*all, [&](const auto& topic) {
    return !std::regex_match(topic.name, *pattern) || (topic.name.starts_with("__") && !internal);
  });
  return all;
}

Result<std::vector<TopicPartition>> PlannerClient::discover(int timeout_ms) {
  const bool listed = !impl_->pattern;
  const auto topics = listed ? impl_->ask_listed(timeout_ms) : impl_->ask_matching(timeout_ms);
  if (!topics) return tl::unexpected(topics.error());
  std::vector<TopicPartition> partitions;
  std::string unknown;
  for (const auto& topic : *topics) {
    if (!topic.exists) {
      unknown += (unknown.empty() ? "" : ", ") + topic.name;
      continue;
    }
    // A topic that is just being created answers with an error and without partitions.
    if (topic.error != RD_KAFKA_RESP_ERR_NO_ERROR && topic.has_leader.empty()) {
      return tl::unexpected(impl_->client->error(
          topic.error, fmt::format("asking for the partitions of topic {}", topic.name)));
    }
    for (const auto& [partition, leader] : topic.has_leader) {
      partitions.push_back({topic.name, partition});
    }
  }
  if (listed && !unknown.empty()) {
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("Kafka at {} has no topic {}: correct source.kafka.topics, create it, "
                            "or allow this login to describe it",
                            impl_->options.brokers, unknown));
  }
  std::ranges::sort(partitions);
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  return partitions;
}

Result<std::string> PlannerClient::cluster_id(int timeout_ms) {
  auto& client = *impl_->client;
  // The id comes with any metadata. Asking for some names the reason where there is none, and does
  // not wait for librdkafka's own first question, which it asks a second later.
  const auto topics =
      impl_->pattern ? impl_->ask_matching(timeout_ms) : impl_->ask_listed(timeout_ms);
  if (!topics) return tl::unexpected(topics.error());
  char* id = rd_kafka_clusterid(client.get(), timeout_ms);
  if (id == nullptr)
    return tl::unexpected(client.error(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for its id"));
  std::string text = id;
  rd_kafka_mem_free(client.get(), id);
  return text;
}

Result<std::map<TopicPartition, Offset>> PlannerClient::earliest(
    std::span<const TopicPartition> sources, int timeout_ms) {
  return ask_offsets(*impl_->client, sources, earliest_timestamp, timeout_ms);
}

Result<std::map<TopicPartition, Offset>> PlannerClient::latest(
    std::span<const TopicPartition> sources, int timeout_ms) {
  return ask_offsets(*impl_->client, sources, latest_timestamp, timeout_ms);
}

Result<std::map<TopicPartition, Offset>> PlannerClient::at_time(
    std::span<const TopicPartition> sources, std::int64_t ms, int timeout_ms) {
  if (ms < 0) return earliest(sources, timeout_ms);  // negative ones mean something else to Kafka
  return ask_offsets(*impl_->client, sources, ms, timeout_ms);
}

Result<std::map<TopicPartition, Offset>> PlannerClient::resolve_start(
    std::span<const TopicPartition> sources, const Start& start, int timeout_ms) {
  using Offsets = Result<std::map<TopicPartition, Offset>>;
  struct Resolve {
    PlannerClient& client;
    std::span<const TopicPartition> sources;
    int timeout_ms;

    Offsets operator()(const StartEarliest&) const { return client.earliest(sources, timeout_ms); }
    Offsets operator()(const StartLatest&) const { return client.latest(sources, timeout_ms); }
    Offsets operator()(const StartTimestamp& moment) const {
      // Latest first: a record that arrives between the questions is then not skipped.
      auto ends = client.latest(sources, timeout_ms);
      if (!ends) return ends;
      auto found = client.at_time(sources, moment.ms, timeout_ms);
      if (!found) return found;
      found->merge(*ends);
      return found;
    }
    Offsets operator()(const StartOffsets& given) const {
      std::map<TopicPartition, Offset> offsets;
      std::vector<TopicPartition> missing;
      for (const auto& source : sources) {
        const auto found = given.offsets.find(source);
        if (found == given.offsets.end() || found->second < 0) {
          missing.push_back(source);
        } else {
          offsets.insert(*found);
        }
      }
      if (missing.empty()) return offsets;
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("source.kafka.start gives no offset for {}: give one for every "
                              "partition, or start at \"earliest\" or \"latest\"",
                              names(missing)));
    }
  };
  return std::visit(Resolve{*this, sources, timeout_ms}, start);
}

void PlannerClient::commit_group_offsets(const std::map<TopicPartition, Offset>& offsets) {
  if (!impl_->options.commit_group_offsets || offsets.empty()) return;
  auto& client = *impl_->client;
  const PartitionListHandle list{
      rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
  for (const auto& [source, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), source.topic.c_str(), source.partition)->offset =
        offset;
  }
  const auto code = rd_kafka_commit(client.get(), list.get(), 1);
  client.poll();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    spdlog::debug("kafka: committing group offsets: {}", rd_kafka_err2str(code));
  }
}

void PlannerClient::Impl::on_commit(rd_kafka_t*, rd_kafka_resp_err_t code,
                                    rd_kafka_topic_partition_list_t*, void*) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    spdlog::debug("kafka: committing group offsets: {}", rd_kafka_err2str(code));
  }
}

}  // namespace semel::kafka
