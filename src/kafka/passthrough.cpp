// Which properties of [….kafka.librdkafka] would break a promise.
#include "kafka/passthrough.hpp"

#include <fmt/format.h>
#include <array>
#include <optional>
#include <string_view>

#include "kafka/client_config.hpp"

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

// Of the source. Sorted by what they would break, not by name: the list is short and read by
// people.
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

constexpr std::string_view fence_reason =
    "whoever begins with it ends what others began with it: it is made of pipeline and output";
constexpr std::string_view ledger_reason =
    "it is for consumers, and nothing but the ledger is read here";
constexpr std::string_view in_time_reason =
    "what is not delivered in time is aborted: it follows sink.kafka.transaction_timeout";
constexpr std::string_view durable_reason = "a transaction is durable, or it is none";

// Of a sink; what is refused of a source is refused here, too.
constexpr auto sink_refusals = std::to_array<Refusal>({
    {"bootstrap.servers", "it is set with sink.kafka.brokers"},
    {"metadata.broker.list", "it is set with sink.kafka.brokers"},
    {"transactional.id", fence_reason},
    {"transaction.timeout.ms", in_time_reason},
    {"message.timeout.ms", in_time_reason},
    {"delivery.timeout.ms", in_time_reason},
    {"enable.idempotence", durable_reason},
    {"acks", durable_reason},
    {"request.required.acks", durable_reason},
    {"partitioner", "it is set with sink.kafka.partition"},
    {"message.max.bytes", "what is too large is the topic's to say (max.message.bytes)"},
    {"batch.size", "it follows the topic's max.message.bytes"},
    {"batch.num.messages", "records that are refused are found by it"},
    {"delivery.report.only.error", callback_reason},
    {"broker.version.fallback", version_reason},
    {"api.version.fallback.ms", version_reason},
    {"allow.auto.create.topics", "a mistyped topic name would create a topic"},
    {"test.mock.num.brokers", "it replaces the brokers by simulated ones"},
});

tl::unexpected<Error> refused_setting(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

/// Why it may not be set.
std::optional<std::string_view> reason_against(const std::string& property, Use use) {
  if (use == Use::sink) {
    for (const auto& [refused, reason] : sink_refusals) {
      if (property == refused) return reason;
    }
  }
  for (const auto& [refused, reason] : refusals) {
    if (property != refused) continue;
    return use == Use::source || reason == callback_reason ? reason : ledger_reason;
  }
  if (property.ends_with("_cb")) return callback_reason;
  return std::nullopt;
}

Result<void> refuse(const std::string& property, Use use) {
  const auto reason = reason_against(property, use);
  if (!reason) return {};
  return refused_setting(
      fmt::format("{}.librdkafka: {} may not be set: {}", section_of(use), property, *reason));
}

/// What was set, as librdkafka understands it: "1" is "true".
Result<void> refuse_off(rd_kafka_conf_t* conf, const std::string& property, Use use) {
  for (const auto& [needed, reason] : needed_on) {
    if (property != needed) continue;
    char value[8];
    std::size_t size = sizeof value;
    const bool known = rd_kafka_conf_get(conf, property.c_str(), value, &size) == RD_KAFKA_CONF_OK;
    if (known && std::string_view(value) == "true") return {};
    return refused_setting(fmt::format("{}.librdkafka: {} cannot be turned off: {}",
                                       section_of(use), property, reason));
  }
  return {};
}

}  // namespace

Result<void> validate_passthrough(const std::map<std::string, std::string>& properties, Use use) {
  const ConfHandle scratch{rd_kafka_conf_new()};
  for (const auto& [property, value] : properties) {
    if (auto allowed = refuse(property, use); !allowed) return allowed;
    if (auto known = set_property(scratch.get(), use, property, value); !known) return known;
    if (auto on = refuse_off(scratch.get(), property, use); !on) return on;
  }
  return {};
}

}  // namespace semel::kafka
