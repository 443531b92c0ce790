#include "kafka/client_config.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string_view>
#include <utility>

#include "kafka/broker_list.hpp"
#include "kafka/passthrough.hpp"

namespace semel::kafka {

namespace {

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

using Properties = std::vector<std::pair<std::string, std::string>>;

Result<ConfHandle> make_config(const Options& options, const Properties& ours,
                               const Properties& promised) {
  ConfHandle conf{rd_kafka_conf_new()};
  const auto set_all = [&](const auto& properties) -> Result<void> {
    for (const auto& [property, value] : properties) {
      if (auto done = set_property(conf.get(), options, property, value); !done) return done;
    }
    return {};
  };
  if (auto valid = validate_passthrough(options); !valid) {
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
  if (!list)
    return wrong_settings(fmt::format("{} {}", options.called("brokers"), list.error().message));
  return list;
}

}  // namespace

Result<void> set_property(rd_kafka_conf_t* conf, const Options& options,
                          const std::string& property, const std::string& value) {
  char reason[512];
  const auto outcome =
      rd_kafka_conf_set(conf, property.c_str(), value.c_str(), reason, sizeof reason);
  if (outcome == RD_KAFKA_CONF_OK) return {};
  // librdkafka repeats the value, which may be a password.
  const std::string_view said =
      outcome == RD_KAFKA_CONF_INVALID && is_secret(property) ? "the value is not valid" : reason;
  return wrong_settings(fmt::format("{}: {}: {}. The properties are those of {} {}",
                                    options.called("librdkafka"), property, said, "librdkafka",
                                    rd_kafka_version_str()));
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

Result<ConfHandle> transaction_config(const Options& options, const std::string& name,
                                      const TransactionOptions& writing) {
  const auto brokers = brokers_of(options);
  if (!brokers) return tl::unexpected(brokers.error());
  auto ours = common_properties(name);
  ours.emplace_back("compression.codec", "lz4");
  ours.emplace_back("linger.ms", "5");
  // TransactionalProducer counts what is on its way, and lets a record pass that is larger.
  ours.emplace_back("queue.buffering.max.messages", "10000000");
  ours.emplace_back("queue.buffering.max.kbytes", "2097151");
  const Properties promised{
      {"bootstrap.servers", *brokers},
      {"transactional.id", writing.transactional_id},
      {"transaction.timeout.ms", std::to_string(writing.timeout_ms)},
      {"enable.idempotence", "true"},
      {"acks", "all"},
      // As Kafka's own clients do: other programs that write into the topic agree on where a key
      // is.
      {"partitioner", "murmur2_random"},
      // What is too large is the broker's to say: it looks at compressed batches.
      {"message.max.bytes", "1000000000"},
      {"batch.size", std::to_string(writing.batch_bytes_max)},
      {"batch.num.messages", writing.one_by_one ? "1" : "10000"},
      {"delivery.report.only.error", "true"},
      {"allow.auto.create.topics", "false"},
  };
  return make_config(options, ours, promised);
}

}  // namespace semel::kafka
