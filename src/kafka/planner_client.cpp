#include "kafka/planner_client.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <regex>
#include <set>
#include <string_view>

#include "kafka/client_config.hpp"
#include "kafka/cluster_questions.hpp"
#include "kafka/group_offsets.hpp"
#include "kafka/offset_survey.hpp"
#include "kafka/resolve_start.hpp"

namespace semel::kafka {

namespace {

// With more topics than this one answer about all of them is cheaper than one answer for each.
constexpr std::size_t topics_asked_singly = 16;

/// Whether the pattern itself says the underscores that a name begins with: it then does not match
/// the name with another character in the place of one of them. Kafka's own topics begin with two,
/// those of the tools around it (_schemas, _confluent-…) with one, and ".*" means neither.
bool names_underscores(const std::regex& pattern, const std::string& name) {
  const auto count = name.find_first_not_of('_');
  for (std::size_t i = 0; i < std::min(count, name.size()); ++i) {
    for (const char other : {'a', 'Z', '0', '-'}) {
      auto changed = name;
      changed[i] = other;
      if (std::regex_match(changed, pattern)) return false;
    }
  }
  return true;
}

}  // namespace

struct PlannerClient::Impl {
  Options options;
  std::optional<std::regex> pattern;
  std::unique_ptr<Client> client;
  std::optional<OffsetSurvey> survey;
  std::optional<GroupOffsets> group;

  static void on_commit(rd_kafka_t* client, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t* offsets, void* opaque);
  std::set<std::string> left_out;  ///< topics that the pattern matches, and does not mean

  Result<std::vector<TopicState>> ask_listed(const std::set<std::string>& known, int timeout_ms);
  Result<std::vector<TopicState>> ask_matching(int timeout_ms);
  void ask_missing(const std::set<std::string>& known, int timeout_ms,
                   std::vector<TopicState>& topics, Discovery& found);
};

PlannerClient::PlannerClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlannerClient::~PlannerClient() {
  // Closing it would wait for the group's coordinator, for most of a minute. It ends with the
  // process.
  if (impl_->group && impl_->group->waits()) Client::leave(std::move(impl_->client));
}

Result<std::unique_ptr<PlannerClient>> PlannerClient::connect(const Options& options,
                                                              const std::string& pipeline) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  if (!options.topic_pattern.empty()) {
    try {
      impl->pattern.emplace(options.topic_pattern, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("{} \"{}\" is not a regular expression: {}", options.called("topic_pattern"),
                      options.topic_pattern, error.what()));
    }
  }
  auto conf = planner_config(options, pipeline);
  if (!conf) return tl::unexpected(conf.error());
  rd_kafka_conf_set_offset_commit_cb(conf->get(), &Impl::on_commit);
  auto client = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options);
  if (!client) return tl::unexpected(client.error());
  impl->client = *std::move(client);
  impl->survey.emplace(*impl->client);
  if (options.commit_group_offsets) {
    impl->group.emplace(*impl->client, options.group_id.empty() ? pipeline : options.group_id,
                        pipeline);
    impl->client->on_committed(
        [group = &*impl->group](rd_kafka_resp_err_t code) { group->on_commit(code); });
  }
  return std::unique_ptr<PlannerClient>(new PlannerClient(std::move(impl)));
}

Result<std::vector<TopicState>> PlannerClient::Impl::ask_listed(const std::set<std::string>& known,
                                                                int timeout_ms) {
  const auto& topics = options.topics;
  if (topics.size() <= topics_asked_singly) {
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
    if (found != all->end()) {
      states.push_back(*found);
    } else if (known.contains(topic)) {
      // What may not be seen is not listed: asked for by name, it is denied.
      auto state = ask_topic(*client, topic, timeout_ms);
      if (!state) return tl::unexpected(state.error());
      states.push_back(*std::move(state));
    } else {
      states.push_back({.name = topic, .exists = false, .error = {}, .leaders = {}});
    }
  }
  return states;
}

Result<std::vector<TopicState>> PlannerClient::Impl::ask_matching(int timeout_ms) {
  auto all = ask_all_topics(*client, timeout_ms);
  if (!all) return all;
  std::erase_if(*all, [&](const auto& topic) {
    if (!std::regex_match(topic.name, *pattern)) return true;
    if (names_underscores(*pattern, topic.name)) return false;
    // Two underscores are Kafka's own, in every cluster.
    if (!topic.name.starts_with("__") && left_out.insert(topic.name).second) {
      client->log().info(
          "topic {} is not read: it begins with an underscore, as internal topics do, and "
          "topic_pattern does not name that",
          topic.name);
    }
    return true;
  });
  return all;
}

/// Topics that are not among those that match, though they did: by name.
void PlannerClient::Impl::ask_missing(const std::set<std::string>& known, int timeout_ms,
                                      std::vector<TopicState>& topics, Discovery& found) {
  std::set<std::string> listed;
  for (const auto& topic : topics) listed.insert(topic.name);
  for (const auto& name : known) {
    if (listed.contains(name) || !std::regex_match(name, *pattern)) continue;
    auto state = ask_topic(*client, name, timeout_ms);
    if (!state) {
      found.unclear.emplace(name, state.error());
    } else if (is_denial(state->error)) {
      found.denied.emplace(name, "this login may not see the topic at the moment, if it is there");
    } else {
      topics.push_back(*std::move(state));
    }
  }
}

Result<Discovery> PlannerClient::discover(int timeout_ms, const std::set<std::string>& known) {
  const bool listed = !impl_->pattern;
  auto topics = listed ? impl_->ask_listed(known, timeout_ms) : impl_->ask_matching(timeout_ms);
  if (!topics) return tl::unexpected(topics.error());
  Discovery found;
  if (!listed) impl_->ask_missing(known, timeout_ms, *topics, found);
  impl_->survey->learn(*topics);
  std::string unknown;
  for (const auto& topic : *topics) {
    if (!topic.exists) {
      if (!known.contains(topic.name)) unknown += (unknown.empty() ? "" : ", ") + topic.name;
      continue;
    }
    // A topic that is just being created answers with an error and without partitions.
    if (topic.error != RD_KAFKA_RESP_ERR_NO_ERROR && topic.leaders.empty()) {
      found.unclear.emplace(
          topic.name,
          impl_->client->error(topic.error,
                               fmt::format("asking for the partitions of topic {}", topic.name)));
      continue;
    }
    for (const auto& [partition, leader] : topic.leaders) {
      found.partitions.push_back({topic.name, partition});
    }
  }
  if (listed && !unknown.empty()) {
    return fail(
        ErrorKind::fatal, Cause::source,
        fmt::format("Kafka at {} has no topic {}: correct {}, create it, or allow this login "
                    "to describe it",
                    impl_->options.brokers, unknown, impl_->options.called("topics")));
  }
  for (const auto& [topic, why] : found.unclear) {
    if (found.partitions.empty() || why.kind == ErrorKind::fatal) return tl::unexpected(why);
  }
  std::ranges::sort(found.partitions);
  found.partitions.erase(std::unique(found.partitions.begin(), found.partitions.end()),
                         found.partitions.end());
  return found;
}

Result<std::string> PlannerClient::cluster_id(int timeout_ms) {
  auto& client = *impl_->client;
  // The id comes with any metadata. Asking for some names the reason where there is none, and does
  // not wait for librdkafka's own first question, which it asks a second later.
  const auto topics =
      impl_->pattern ? impl_->ask_matching(timeout_ms) : impl_->ask_listed({}, timeout_ms);
  if (!topics) return tl::unexpected(topics.error());
  char* id = rd_kafka_clusterid(client.get(), timeout_ms);
  if (id == nullptr)
    return tl::unexpected(client.error(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for its id"));
  std::string text = id;
  rd_kafka_mem_free(client.get(), id);
  return text;
}

Result<std::map<TopicPartition, Offset>> PlannerClient::earliest(
    std::span<const TopicPartition> tps, int timeout_ms) {
  return ask_offsets(*impl_->client, tps, earliest_timestamp, timeout_ms);
}

Result<std::map<TopicPartition, Offset>> PlannerClient::latest(std::span<const TopicPartition> tps,
                                                               int timeout_ms) {
  return ask_offsets(*impl_->client, tps, latest_timestamp, timeout_ms);
}

Result<PartialOffsets> PlannerClient::known_earliest(std::span<const TopicPartition> tps,
                                                     int timeout_ms) {
  return impl_->survey->ask(tps, earliest_timestamp, timeout_ms);
}

Result<PartialOffsets> PlannerClient::known_latest(std::span<const TopicPartition> tps,
                                                   int timeout_ms) {
  return impl_->survey->ask(tps, latest_timestamp, timeout_ms);
}

Result<PartialOffsets> PlannerClient::resolve_start(std::span<const TopicPartition> tps,
                                                    const Start& start, BelowEarliest below,
                                                    int timeout_ms) {
  return kafka::resolve_start(*impl_->survey, tps, start, below, timeout_ms,
                              impl_->options.called("start"));
}

void PlannerClient::expect_cluster(const std::string& id) {
  impl_->client->expect_cluster(id);
}

Result<void> PlannerClient::same_cluster() const {
  return impl_->client->same_cluster();
}

void PlannerClient::commit_group_offsets(const std::map<TopicPartition, Offset>& offsets) {
  if (impl_->group) impl_->group->show(offsets);
}

bool PlannerClient::group_offsets_written() const {
  return !impl_->group || impl_->group->all_written();
}

void PlannerClient::finish_group_offsets(std::chrono::milliseconds at_most) {
  if (impl_->group) impl_->group->finish(at_most);
}

void PlannerClient::Impl::on_commit(rd_kafka_t*, rd_kafka_resp_err_t code,
                                    rd_kafka_topic_partition_list_t*, void* opaque) {
  static_cast<Client*>(opaque)->committed(code);
}

}  // namespace semel::kafka
