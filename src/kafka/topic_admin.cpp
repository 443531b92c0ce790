#include "kafka/topic_admin.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <thread>

#include "kafka/client.hpp"
#include "kafka/client_config.hpp"
#include "kafka/cluster_questions.hpp"

namespace semel::kafka {

namespace {

using EventHandle = std::unique_ptr<rd_kafka_event_t, Destroyer<rd_kafka_event_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, Destroyer<rd_kafka_NewTopic_destroy>>;
using ResourceHandle =
    std::unique_ptr<rd_kafka_ConfigResource_t, Destroyer<rd_kafka_ConfigResource_destroy>>;

constexpr auto look_again = std::chrono::milliseconds(50);

}  // namespace

struct TopicAdmin::Impl {
  Use use = Use::source;
  std::unique_ptr<Client> client;

  Result<EventHandle> wait(rd_kafka_queue_t* queue, const std::string& doing,
                           int timeout_ms) const {
    EventHandle event{rd_kafka_queue_poll(queue, timeout_ms)};
    client->poll();
    const auto code = event ? rd_kafka_event_error(event.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return tl::unexpected(client->error(code, doing));
    return event;
  }

  Result<void> read_configs(const std::string& topic, int timeout_ms,
                            std::map<std::string, std::string>& configs) const {
    const ResourceHandle resource{
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str())};
    auto* asked = resource.get();
    const QueueHandle queue{rd_kafka_queue_new(client->get())};
    rd_kafka_DescribeConfigs(client->get(), &asked, 1, nullptr, queue.get());
    const auto event =
        wait(queue.get(), "asking how topic " + topic + " is configured", timeout_ms);
    if (!event) return tl::unexpected(event.error());
    std::size_t count = 0;
    const auto** answers = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event->get()), &count);
    // Whoever may not see them goes on without.
    if (count == 0 || rd_kafka_ConfigResource_error(answers[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return {};
    }
    std::size_t entries = 0;
    const auto** all = rd_kafka_ConfigResource_configs(answers[0], &entries);
    for (std::size_t i = 0; i < entries; ++i) {
      const char* value = rd_kafka_ConfigEntry_value(all[i]);
      if (value != nullptr) configs[rd_kafka_ConfigEntry_name(all[i])] = value;
    }
    return {};
  }
};

TopicAdmin::TopicAdmin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TopicAdmin::~TopicAdmin() = default;

Result<std::unique_ptr<TopicAdmin>> TopicAdmin::connect(const Options& options,
                                                        const std::string& name) {
  auto conf = question_config(options, name);
  if (!conf) return tl::unexpected(conf.error());
  auto client = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options);
  if (!client) return tl::unexpected(client.error());
  auto impl = std::make_unique<Impl>();
  impl->use = options.use;
  impl->client = *std::move(client);
  return std::unique_ptr<TopicAdmin>(new TopicAdmin(std::move(impl)));
}

Result<std::string> TopicAdmin::cluster_id(int timeout_ms) {
  char* id = rd_kafka_clusterid(impl_->client->get(), timeout_ms);
  impl_->client->poll();
  if (id == nullptr) {
    return tl::unexpected(
        impl_->client->error(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for the cluster's id"));
  }
  std::string known = id;
  rd_kafka_mem_free(impl_->client->get(), id);
  return known;
}

Result<TopicDescription> TopicAdmin::describe(const std::string& topic, int timeout_ms) {
  auto state = ask_topic(*impl_->client, topic, timeout_ms);
  if (!state) return tl::unexpected(state.error());
  TopicDescription found{.exists = state->exists, .configs = {}};
  if (!state->exists) return found;
  if (state->error != RD_KAFKA_RESP_ERR_NO_ERROR && state->leaders.empty()) {
    return tl::unexpected(impl_->client->error(state->error, "asking for topic " + topic));
  }
  found.partitions = static_cast<int>(state->leaders.size());
  if (auto read = impl_->read_configs(topic, timeout_ms, found.configs); !read) {
    return tl::unexpected(read.error());
  }
  return found;
}

Result<void> TopicAdmin::create(const std::string& topic, int partitions, int replication,
                                const std::map<std::string, std::string>& configs, int timeout_ms) {
  const auto doing = "making topic " + topic;
  const auto refused = [&](std::string_view said) {
    return fail(ErrorKind::fatal, cause_of(impl_->use), fmt::format("{} failed: {}", doing, said));
  };
  char reason[512];
  const NewTopicHandle wanted{rd_kafka_NewTopic_new(
      topic.c_str(), partitions, replication == 0 ? -1 : replication, reason, sizeof reason)};
  if (!wanted) return refused(reason);
  for (const auto& [name, value] : configs) {
    rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  }
  auto* raw = wanted.get();
  const QueueHandle queue{rd_kafka_queue_new(impl_->client->get())};
  rd_kafka_CreateTopics(impl_->client->get(), &raw, 1, nullptr, queue.get());
  const auto event = impl_->wait(queue.get(), doing, timeout_ms);
  if (!event) return tl::unexpected(event.error());
  std::size_t count = 0;
  const auto** topics =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  const auto code = count > 0 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__FAIL;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    const char* said = count > 0 ? rd_kafka_topic_result_error_string(topics[0]) : nullptr;
    return refused(said != nullptr ? said : rd_kafka_err2str(code));
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    const auto state = ask_topic(*impl_->client, topic, timeout_ms);
    if (!state) return tl::unexpected(state.error());
    const bool led = !state->leaders.empty() &&
                     std::ranges::all_of(state->leaders, [](auto& one) { return one.second >= 0; });
    if (led) return {};
    if (std::chrono::steady_clock::now() > end) {
      return fail(ErrorKind::unavailable, cause_of(impl_->use),
                  fmt::format("{}: its partitions have no leaders", doing));
    }
    std::this_thread::sleep_for(look_again);
  }
}

const std::map<std::string, std::string>& compacted_topic() {
  static const std::map<std::string, std::string> configs{{"cleanup.policy", "compact"},
                                                          {"segment.bytes", "8388608"},
                                                          {"segment.ms", "3600000"},
                                                          {"min.cleanable.dirty.ratio", "0.2"}};
  return configs;
}

}  // namespace semel::kafka
