#include "event_producer.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/core.h>

namespace semel::demo {
namespace {

constexpr int timeout_ms = 30'000;

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

tl::unexpected<Error> failed(const std::string& message) {
  return fail(ErrorKind::fatal, Cause::source, message);
}

/// The first delivery that failed; written by the callback, which runs inside rd_kafka_poll().
struct Deliveries {
  std::string failure;
  std::int64_t acknowledged = 0;
};

void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& deliveries = *static_cast<Deliveries*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++deliveries.acknowledged;
  } else if (deliveries.failure.empty()) {
    deliveries.failure = rd_kafka_err2str(message->err);
  }
}

Result<Client> connect(const std::string& brokers, Deliveries* deliveries) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::pair<const char*, const char*> settings[] = {
      {"bootstrap.servers", brokers.c_str()},
      {"client.id", "semel-demo"},
      {"compression.codec", "lz4"},
      {"linger.ms", "20"},
      // In order and once, so that the totals are exact.
      {"max.in.flight.requests.per.connection", "1"},
      {"queue.buffering.max.messages", "200000"},
  };
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return failed(error);
    }
  }
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_conf_set_opaque(conf, deliveries);
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return failed(error);
  }
  return Client(client, rd_kafka_destroy);
}

/// How many partitions of the topic have a leader; 0 while it is unknown.
Result<int> partitions_with_leader(rd_kafka_t* client, const std::string& topic) {
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(client, topic.c_str(), nullptr), rd_kafka_topic_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto error = rd_kafka_metadata(client, 0, handle.get(), &metadata, timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failed(fmt::format("asking for topic {}: {}", topic, rd_kafka_err2str(error)));
  }
  int count = 0;
  if (metadata->topic_cnt == 1) {
    for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
      if (metadata->topics[0].partitions[i].leader >= 0) ++count;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return count;
}

Result<void> create_topic(rd_kafka_t* client, const std::string& topic, int partitions) {
  char error[512];
  rd_kafka_NewTopic_t* wanted =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, error, sizeof error);
  if (wanted == nullptr) return failed(fmt::format("topic {}: {}", topic, error));
  const std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> keep(
      wanted, rd_kafka_NewTopic_destroy);
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(
      rd_kafka_queue_new(client), rd_kafka_queue_destroy);
  rd_kafka_CreateTopics(client, &wanted, 1, nullptr, queue.get());
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(
      rd_kafka_queue_poll(queue.get(), 2 * timeout_ms), rd_kafka_event_destroy);
  if (event == nullptr) return failed(fmt::format("making topic {}: no answer", topic));
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failed(
        fmt::format("making topic {}: {}", topic, rd_kafka_event_error_string(event.get())));
  }
  std::size_t count = 0;
  const auto* topics =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(topics[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      return failed(
          fmt::format("making topic {}: {}", topic, rd_kafka_topic_result_error_string(topics[i])));
    }
  }
  return {};
}

}  // namespace

Result<void> ensure_topic(const std::string& brokers, const std::string& topic, int partitions) {
  Deliveries none;
  Result<Client> client = connect(brokers, &none);
  if (!client) return tl::unexpected(client.error());
  if (auto made = create_topic(client->get(), topic, partitions); !made) return made;
  for (int attempt = 0; attempt < 300; ++attempt) {
    const Result<int> ready = partitions_with_leader(client->get(), topic);
    if (!ready) return tl::unexpected(ready.error());
    if (*ready == partitions) return {};
    if (*ready > 0 && attempt > 20) {
      return failed(fmt::format("topic {} has {} partitions, not {}: say --partitions {}", topic,
                                *ready, partitions, *ready));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return failed(fmt::format("topic {} has no leaders", topic));
}

Result<Totals> produce_events(const std::string& brokers, const std::string& topic, int partitions,
                              std::int64_t count) {
  Totals totals;
  auto produced = produce_records(
      brokers, topic, partitions, count,
      [&totals](std::int64_t id, std::string& value) { append_event(id, value, totals); });
  if (!produced) return tl::unexpected(produced.error());
  return totals;
}

Result<void> produce_records(const std::string& brokers, const std::string& topic, int partitions,
                             std::int64_t count,
                             const std::function<void(std::int64_t, std::string&)>& append) {
  Deliveries deliveries;
  Result<Client> client = connect(brokers, &deliveries);
  if (!client) return tl::unexpected(client.error());
  const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> handle(
      rd_kafka_topic_new(client->get(), topic.c_str(), nullptr), rd_kafka_topic_destroy);

  std::string value;
  for (std::int64_t id = 0; id < count && deliveries.failure.empty(); ++id) {
    value.clear();
    append(id, value);
    while (rd_kafka_produce(handle.get(), static_cast<std::int32_t>(id % partitions),
                            RD_KAFKA_MSG_F_COPY, value.data(), value.size(), nullptr, 0,
                            nullptr) != 0) {
      const auto error = rd_kafka_last_error();
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return failed(fmt::format("producing to {}: {}", topic, rd_kafka_err2str(error)));
      }
      rd_kafka_poll(client->get(), 100);
    }
    if (id % 1'000 == 0) rd_kafka_poll(client->get(), 0);
  }
  rd_kafka_flush(client->get(), 10 * timeout_ms);
  if (deliveries.acknowledged != count) {
    return failed(fmt::format("{} of {} events were not acknowledged: {}",
                              count - deliveries.acknowledged, count, deliveries.failure));
  }
  return {};
}

}  // namespace semel::demo
