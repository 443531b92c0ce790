#include "kafka/client_config.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "kafka/broker_list.hpp"

namespace semel::kafka {

namespace {

struct Refusal {
  std::string_view property;
  std::string_view reason;
};

constexpr std::string_view group_reason =
    "partitions are planned by the driver, no consumer group is joined; the group under which "
    "progress is shown is set with source.kafka.group_id";
constexpr std::string_view offsets_reason =
    "offsets are committed with the rows, in the sink; source.kafka.commit_group_offsets says "
    "whether Kafka's lag tools see them afterwards";
constexpr std::string_view anew_reason =
    "a topic that is made anew under the running pipeline is noticed by a question that must come "
    "before the next fetch";
constexpr std::string_view callback_reason = "it needs a callback in the program";
constexpr std::string_view version_reason =
    "what a broker cannot say of itself is taken for a Kafka without transactions, and records of "
    "transactions that were aborted would be read";
constexpr std::string_view producer_reason = "it is for producers, and nothing is produced here";

// Sorted by what they would break, not by name: the list is short and read by people.
constexpr auto refusals = std::to_array<Refusal>({
    {"bootstrap.servers", "it is set with source.kafka.brokers"},
    {"metadata.broker.list", "it is set with source.kafka.brokers"},
    {"isolation.level",
     "it is set with source.kafka.isolation, because planning and reading must "
     "agree on it"},
    {"enable.auto.commit", offsets_reason},
    {"auto.commit.enable", offsets_reason},
    {"auto.commit.interval.ms", offsets_reason},
    {"enable.auto.offset.store", offsets_reason},
    {"offset.store.method", offsets_reason},
    {"offset.store.path", offsets_reason},
    {"offset.store.sync.interval.ms", offsets_reason},
    {"auto.offset.reset",
     "lost records must be an error, never a jump: where a topic begins is set "
     "with source.kafka.start, what happens after a loss with on_data_loss"},
    {"broker.version.fallback", version_reason},
    {"api.version.fallback.ms", version_reason},
    {"enable.partition.eof", "the end of a range is recognised by it"},
    {"group.id", group_reason},
    {"group.instance.id", group_reason},
    {"group.protocol", group_reason},
    {"group.remote.assignor", group_reason},
    {"group.protocol.type", group_reason},
    {"partition.assignment.strategy", group_reason},
    {"session.timeout.ms", group_reason},
    {"heartbeat.interval.ms", group_reason},
    {"max.poll.interval.ms", group_reason},
    {"topic.blacklist", "topics are chosen with source.kafka.topics or source.kafka.topic_pattern"},
    {"topic.metadata.refresh.fast.interval.ms", anew_reason},
    {"fetch.error.backoff.ms", anew_reason},
    {"allow.auto.create.topics", "a mistyped topic name would create a topic"},
    {"consume.callback.max.messages", callback_reason},
    {"enabled_events", callback_reason},
    {"log.queue", callback_reason},
    {"opaque", callback_reason},
    {"default_topic_conf", callback_reason},
    {"transactional.id", producer_reason},
    {"enable.idempotence", producer_reason},
    {"test.mock.num.brokers",
     "it replaces the brokers by simulated ones that lose records beyond "
     "5 MiB"},
});

// On by default; "false" of any spelling is refused.
constexpr auto needed_on = std::to_array<Refusal>({
    {"check.crcs", "a damaged batch would be taken for data"},
    {"api.version.request", version_reason},
});

bool is_secret(std::string_view property) {
  for (const std::string_view word :
       {"password", "secret", "token", ".pem", "key", "oauthbearer"}) {
    if (property.find(word) != std::string_view::npos) return true;
  }
  return false;
}

tl::unexpected<Error> wrong_settings(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

Result<void> set(rd_kafka_conf_t* conf, const std::string& property, const std::string& value) {
  char reason[512];
  const auto outcome =
      rd_kafka_conf_set(conf, property.c_str(), value.c_str(), reason, sizeof reason);
  if (outcome == RD_KAFKA_CONF_OK) return {};
  // librdkafka repeats the value, which may be a password.
  const std::string_view said =
      outcome == RD_KAFKA_CONF_INVALID && is_secret(property) ? "the value is not valid" : reason;
  return wrong_settings(
      fmt::format("source.kafka.librdkafka: {}: {}. The properties are those of {} {}", property,
                  said, "librdkafka", rd_kafka_version_str()));
}

Result<void> refuse(const std::string& property) {
  for (const auto& [refused, reason] : refusals) {
    if (property != refused) continue;
    return wrong_settings(
        fmt::format("source.kafka.librdkafka: {} may not be set: {}", property, reason));
  }
  if (property.ends_with("_cb")) {
    return wrong_settings(
        fmt::format("source.kafka.librdkafka: {} may not be set: {}", property, callback_reason));
  }
  return {};
}

/// What was set, as librdkafka understands it: "1" is "true".
Result<void> refuse_off(rd_kafka_conf_t* conf, const std::string& property) {
  for (const auto& [needed, reason] : needed_on) {
    if (property != needed) continue;
    char value[8];
    std::size_t size = sizeof value;
    const bool known = rd_kafka_conf_get(conf, property.c_str(), value, &size) == RD_KAFKA_CONF_OK;
    if (known && std::string_view(value) == "true") return {};
    return wrong_settings(
        fmt::format("source.kafka.librdkafka: {} cannot be turned off: {}", property, reason));
  }
  return {};
}

using Properties = std::vector<std::pair<std::string, std::string>>;

Result<ConfHandle> make_config(const Options& options, const Properties& ours,
                               const Properties& promised) {
  ConfHandle conf{rd_kafka_conf_new()};
  const auto set_all = [&conf](const auto& properties) -> Result<void> {
    for (const auto& [property, value] : properties) {
      if (auto done = set(conf.get(), property, value); !done) return done;
    }
    return {};
  };
  if (auto valid = validate_passthrough(options.librdkafka); !valid) {
    return tl::unexpected(valid.error());
  }
  // Ours may be replaced by the user's; what is promised comes last.
  for (const auto& step : {set_all(ours), set_all(options.librdkafka), set_all(promised)}) {
    if (!step) return tl::unexpected(step.error());
  }
  return conf;
}

Properties common_properties(const std::string& pipeline) {
  return {
    {"client.id", "semel-" + pipeline}, {"topic.metadata.refresh.interval.ms", "300000"},
        // Quick at first, so that a broker's restart costs little; bounded, so that a long outage
        // does.
        {"reconnect.backoff.ms", "50"}, {"reconnect.backoff.max.ms", "2000"},
        {"socket.keepalive.enable", "true"}, {"socket.nagle.disable", "true"},
        // Idle connections that a broker closes are no news.
        {"log.connection.close", "false"},
#if RD_KAFKA_VERSION >= 0x020500ff
        // With it, closing a client waits for its telemetry's end for a whole second where the end
        // came before the waiting began: rd_kafka_telemetry_await_termination() of 2.5 to 2.8. A
        // start closes a client.
        {"enable.metrics.push", "false"},
#endif
  };
}

Properties promised_properties(const Options& options, const std::string& brokers) {
  return {
      {"bootstrap.servers", brokers},
      {"isolation.level",
       options.isolation == Isolation::read_committed ? "read_committed" : "read_uncommitted"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"enable.partition.eof", "true"},
      {"check.crcs", "true"},
      {"allow.auto.create.topics", "false"},
  };
}

Result<std::string> brokers_of(const Options& options) {
  auto list = broker_list(options.brokers);
  if (!list) return wrong_settings("source.kafka.brokers " + list.error().message);
  return list;
}

}  // namespace

Result<void> validate_passthrough(const std::map<std::string, std::string>& properties) {
  const ConfHandle scratch{rd_kafka_conf_new()};
  for (const auto& [property, value] : properties) {
    if (auto allowed = refuse(property); !allowed) return allowed;
    if (auto known = set(scratch.get(), property, value); !known) return known;
    if (auto on = refuse_off(scratch.get(), property); !on) return on;
  }
  return {};
}

Result<ConfHandle> planner_config(const Options& options, const std::string& pipeline) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  auto promised = promised_properties(options, *brokers);
  // A group id makes librdkafka look for the group's coordinator: only where it is needed.
  if (options.commit_group_offsets) {
    promised.emplace_back("group.id", options.group_id.empty() ? pipeline : options.group_id);
  }
  return make_config(options, common_properties(pipeline), promised);
}

Result<ConfHandle> question_config(const Options& options, const std::string& pipeline) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  auto ours = common_properties(pipeline);
  // One batch is enough for a look.
  ours.emplace_back("fetch.message.max.bytes", "1024");
  ours.emplace_back("queued.min.messages", "1");
  ours.emplace_back("queued.max.messages.kbytes", "1");
  return make_config(options, ours, promised_properties(options, *brokers));
}

Result<ConfHandle> reader_config(const Options& options, const std::string& pipeline) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  // What a queue may cost is shared by what it holds when fetching pauses (a quarter for the data,
  // a quarter for the 400 bytes that a message costs beside it) and by the answer that was under
  // way then, unpacked (the other half, at some ten times the size in which it is fetched).
  const auto queue = options.reader_memory_bytes / full_queues_in_budget;
  const auto kilobytes = std::clamp<std::int64_t>(queue / 4 / 1024, 64, 1 << 20);
  const auto messages = std::clamp<std::int64_t>(queue / 4 / 400, 2'000, 1'000'000);
  const auto partition_fetch = std::clamp<std::int64_t>(queue / 20, 64 << 10, 8 << 20);
  const auto fetch = std::clamp<std::int64_t>(options.reader_memory_bytes / 20, 1 << 20, 50 << 20);

  auto ours = common_properties(pipeline);
  const Properties reading{
      {"queued.max.messages.kbytes", std::to_string(kilobytes)},
      {"queued.min.messages", std::to_string(messages)},
      {"fetch.message.max.bytes", std::to_string(partition_fetch)},
      {"fetch.max.bytes", std::to_string(fetch)},
      // How long a broker holds a fetch that finds nothing: it delays the end of a range whose tail
      // is invisible, and a partition that starts while another one waits. Short, because nothing
      // waits without a range (RangeSession::finish): 1,000 partitions polled all the time would
      // cost a broker 45 % of a core at 10 ms, 3 % at 500 ms. Against 5 ms, a partition that starts
      // has its first record within 2 ms instead of 4 in nine of ten cases, and draining a backlog
      // costs neither side more (measured).
      {"fetch.wait.max.ms", "1"},
      // A topic that is not there for a moment may be another one afterwards. librdkafka tells
      // nobody, but asks for metadata, and that is a doubt (Client::doubts()): it must be asked
      // before the partition is fetched again.
      {"topic.metadata.refresh.fast.interval.ms", "20"},
      {"fetch.error.backoff.ms", "100"},
  };
  ours.insert(ours.end(), reading.begin(), reading.end());
#if RD_KAFKA_VERSION >= 0x020200ff
  // A full queue pauses fetching for a second by default. Older versions know no such setting: the
  // reader wakes their thread up (RangeReader).
  ours.emplace_back("fetch.queue.backoff.ms", "5");
#endif
  return make_config(options, ours, promised_properties(options, *brokers));
}

Result<ConfHandle> group_config(const Options& options, const std::string& group) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  auto ours = common_properties(group);
  // Never full: a full queue costs librdkafka before 2.2 a second's pause.
  ours.emplace_back("queued.min.messages", "1000000");
  ours.emplace_back("queued.max.messages.kbytes", "262144");
  ours.emplace_back("fetch.wait.max.ms", "5");
  auto promised = promised_properties(options, *brokers);
  promised.emplace_back("enable.partition.eof", "false");
  promised.emplace_back("group.id", group);
  return make_config(options, ours, promised);
}

Result<ConfHandle> producer_config(const Options& options, const std::string& name,
                                   const WriterOptions& writing) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  auto ours = common_properties(name);
  ours.emplace_back("compression.codec", "lz4");
  ours.emplace_back("linger.ms", std::to_string(writing.linger_ms));
  ours.emplace_back("queue.buffering.max.messages", "200000");
  // In order and without doubles, so that offsets can be counted.
  Properties promised{{"bootstrap.servers", *brokers},
                      {"enable.idempotence", writing.retries ? "true" : "false"}};
  if (!writing.retries) promised.emplace_back("message.send.max.retries", "0");
  return make_config(options, ours, promised);
}

}  // namespace semel::kafka
