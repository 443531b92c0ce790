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
  std::string_view reason;     ///< {0}, {1}: what the settings are called
  std::string_view setting{};  ///< that takes its place
  std::string_view other{};
};

constexpr std::string_view set_with = "it is set with {}";
constexpr std::string_view group_reason =
    "partitions are planned by the driver, no consumer group is joined; the group under which "
    "progress is shown is set with {}";
constexpr std::string_view offsets_reason =
    "offsets are committed with the rows, in the sink; {} says whether Kafka's lag tools see "
    "them afterwards";
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
    {"bootstrap.servers", set_with, "source.kafka.brokers"},
    {"metadata.broker.list", set_with, "source.kafka.brokers"},
    {"isolation.level", "it is set with {}, because planning and reading must agree on it",
     "source.kafka.isolation"},
    {"enable.auto.commit", offsets_reason, "source.kafka.commit_group_offsets"},
    {"auto.commit.enable", offsets_reason, "source.kafka.commit_group_offsets"},
    {"auto.commit.interval.ms", offsets_reason, "source.kafka.commit_group_offsets"},
    {"enable.auto.offset.store", offsets_reason, "source.kafka.commit_group_offsets"},
    {"offset.store.method", offsets_reason, "source.kafka.commit_group_offsets"},
    {"offset.store.path", offsets_reason, "source.kafka.commit_group_offsets"},
    {"offset.store.sync.interval.ms", offsets_reason, "source.kafka.commit_group_offsets"},
    {"auto.offset.reset",
     "lost records must be an error, never a jump: where a topic begins is set "
     "with {}, what happens after a loss with {}",
     "source.kafka.start", "on_data_loss"},
    {"broker.version.fallback", version_reason},
    {"api.version.fallback.ms", version_reason},
    {"enable.partition.eof", "the end of a range is recognised by it"},
    {"group.id", group_reason, "source.kafka.group_id"},
    {"group.instance.id", group_reason, "source.kafka.group_id"},
    {"group.protocol", group_reason, "source.kafka.group_id"},
    {"group.remote.assignor", group_reason, "source.kafka.group_id"},
    {"group.protocol.type", group_reason, "source.kafka.group_id"},
    {"partition.assignment.strategy", group_reason, "source.kafka.group_id"},
    {"session.timeout.ms", group_reason, "source.kafka.group_id"},
    {"heartbeat.interval.ms", group_reason, "source.kafka.group_id"},
    {"max.poll.interval.ms", group_reason, "source.kafka.group_id"},
    {"topic.blacklist", "topics are chosen with {} or {}", "source.kafka.topics",
     "source.kafka.topic_pattern"},
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
    "what is not delivered in time is aborted: it follows {}";
constexpr std::string_view durable_reason = "a transaction is durable, or it is none";

// Of a sink; what is refused of a source is refused here, too.
constexpr auto sink_refusals = std::to_array<Refusal>({
    {"bootstrap.servers", set_with, "sink.kafka.brokers"},
    {"metadata.broker.list", set_with, "sink.kafka.brokers"},
    {"transactional.id", fence_reason},
    {"transaction.timeout.ms", in_time_reason, "sink.kafka.transaction_timeout"},
    {"message.timeout.ms", in_time_reason, "sink.kafka.transaction_timeout"},
    {"delivery.timeout.ms", in_time_reason, "sink.kafka.transaction_timeout"},
    {"enable.idempotence", durable_reason},
    {"acks", durable_reason},
    {"request.required.acks", durable_reason},
    {"partitioner", set_with, "sink.kafka.partition"},
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
std::optional<Refusal> refusal_of(const std::string& property, Use use) {
  if (use == Use::sink) {
    for (const auto& refusal : sink_refusals) {
      if (property == refusal.property) return refusal;
    }
  }
  for (const auto& refusal : refusals) {
    if (property != refusal.property) continue;
    if (use == Use::source || refusal.reason == callback_reason) return refusal;
    return Refusal{property, ledger_reason};
  }
  if (property.ends_with("_cb")) return Refusal{property, callback_reason};
  return std::nullopt;
}

Result<void> refuse(const std::string& property, const Options& options) {
  const auto refusal = refusal_of(property, options.use);
  if (!refusal) return {};
  return refused_setting(
      fmt::format("{}: {} may not be set: {}", options.called("librdkafka"), property,
                  fmt::format(fmt::runtime(refusal->reason), options.names(refusal->setting),
                              options.names(refusal->other))));
}

/// What was set, as librdkafka understands it: "1" is "true".
Result<void> refuse_off(rd_kafka_conf_t* conf, const std::string& property,
                        const Options& options) {
  for (const auto& needed : needed_on) {
    if (property != needed.property) continue;
    char value[8];
    std::size_t size = sizeof value;
    const bool known = rd_kafka_conf_get(conf, property.c_str(), value, &size) == RD_KAFKA_CONF_OK;
    if (known && std::string_view(value) == "true") return {};
    return refused_setting(fmt::format("{}: {} cannot be turned off: {}",
                                       options.called("librdkafka"), property, needed.reason));
  }
  return {};
}

}  // namespace

Result<void> validate_passthrough(const Options& options) {
  const ConfHandle scratch{rd_kafka_conf_new()};
  for (const auto& [property, value] : options.librdkafka) {
    if (auto allowed = refuse(property, options); !allowed) return allowed;
    if (auto known = set_property(scratch.get(), options, property, value); !known) return known;
    if (auto on = refuse_off(scratch.get(), property, options); !on) return on;
  }
  return {};
}

Result<void> validate_passthrough(const std::map<std::string, std::string>& properties, Use use) {
  Options options;
  options.use = use;
  options.librdkafka = properties;
  return validate_passthrough(options);
}

}  // namespace semel::kafka
