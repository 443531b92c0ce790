#include "bench/data/topic_writer.hpp"

#include <fmt/format.h>
#include <chrono>
#include <thread>

#include "kafka/client.hpp"
#include "kafka/client_config.hpp"
#include "kafka/cluster_questions.hpp"

namespace semel::kafka {

namespace {

constexpr int timeout_ms = 60'000;

using EventHandle = std::unique_ptr<rd_kafka_event_t, Destroyer<rd_kafka_event_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, Destroyer<rd_kafka_NewTopic_destroy>>;
using DeleteTopicHandle =
    std::unique_ptr<rd_kafka_DeleteTopic_t, Destroyer<rd_kafka_DeleteTopic_destroy>>;

/// Written by the callback, which runs inside rd_kafka_poll().
struct Deliveries {
  std::int64_t unacknowledged = 0;
  rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;
};

void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto& deliveries = *static_cast<Deliveries*>(message->_private);
  --deliveries.unacknowledged;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) deliveries.failure = message->err;
}

}  // namespace

struct TopicWriter::Impl {
  Deliveries deliveries;
  std::unique_ptr<Client> client;  ///< last: its end calls back

  tl::unexpected<Error> failed(rd_kafka_resp_err_t code, const std::string& doing) const {
    return tl::unexpected(client->error(code, doing));
  }

  /// What one of the admin calls answered about its only topic; `tolerated` is as good as no error.
  Result<void> answer(rd_kafka_queue_t* queue, const std::string& doing,
                      rd_kafka_resp_err_t tolerated = RD_KAFKA_RESP_ERR_NO_ERROR) const {
    const EventHandle event{rd_kafka_queue_poll(queue, timeout_ms)};
    if (!event) return failed(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
    if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return failed(code, doing);
    }
    std::size_t count = 0;
    const rd_kafka_topic_result_t** topics = nullptr;
    if (const auto* created = rd_kafka_event_CreateTopics_result(event.get())) {
      topics = rd_kafka_CreateTopics_result_topics(created, &count);
    } else if (const auto* removed = rd_kafka_event_DeleteTopics_result(event.get())) {
      topics = rd_kafka_DeleteTopics_result_topics(removed, &count);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto code = rd_kafka_topic_result_error(topics[i]);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == tolerated) continue;
      const char* said = rd_kafka_topic_result_error_string(topics[i]);
      return fail(ErrorKind::fatal, Cause::source,
                  fmt::format("Kafka: {} failed: {}", doing,
                              said != nullptr ? said : rd_kafka_err2str(code)));
    }
    return {};
  }

  Result<void> create(const std::string& topic, int partitions, rd_kafka_resp_err_t tolerated) {
    const auto doing = fmt::format("making topic {}", topic);
    char reason[512];
    rd_kafka_NewTopic_t* raw =
        rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, reason, sizeof reason);
    if (raw == nullptr) {
      return fail(ErrorKind::fatal, Cause::source, fmt::format("{}: {}", doing, reason));
    }
    const NewTopicHandle wanted{raw};
    const QueueHandle queue{rd_kafka_queue_new(client->get())};
    rd_kafka_CreateTopics(client->get(), &raw, 1, nullptr, queue.get());
    return answer(queue.get(), doing, tolerated);
  }

  /// Waits until `partitions` have a leader; after two seconds another number will do that `enough`
  /// accepts. How many they are.
  Result<int> wait_for_leaders(const std::string& topic, int partitions, bool (*enough)(int led)) {
    for (int attempt = 0; attempt < 300; ++attempt) {
      const auto state = ask_topic(*client, topic, timeout_ms);
      if (!state) return tl::unexpected(state.error());
      int led = 0;
      for (const auto& [partition, leader] : state->leaders) led += leader >= 0 ? 1 : 0;
      if (led == partitions || (attempt > 20 && enough(led))) return led;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return fail(ErrorKind::unavailable, Cause::source,
                fmt::format("the partitions of topic {} have no leaders", topic));
  }
};

TopicWriter::TopicWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TopicWriter::~TopicWriter() {
  // Not flushed: nobody waits for what nobody asked for.
  rd_kafka_purge(impl_->client->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

Result<std::unique_ptr<TopicWriter>> TopicWriter::connect(const Options& options,
                                                          const std::string& name,
                                                          const WriterOptions& writing) {
  auto conf = producer_config(options, name, writing);
  if (!conf) return tl::unexpected(conf.error());
  rd_kafka_conf_set_dr_msg_cb(conf->get(), delivered);
  auto impl = std::make_unique<Impl>();
  auto client = Client::create(*std::move(conf), RD_KAFKA_PRODUCER, options);
  if (!client) return tl::unexpected(client.error());
  impl->client = *std::move(client);
  return std::unique_ptr<TopicWriter>(new TopicWriter(std::move(impl)));
}

Result<void> TopicWriter::create(const std::string& topic, int partitions) {
  auto made = impl_->create(topic, partitions, RD_KAFKA_RESP_ERR_NO_ERROR);
  return made ? wait_for_leaders(topic, partitions) : made;
}

Result<int> TopicWriter::ensure(const std::string& topic, int partitions) {
  auto made = impl_->create(topic, partitions, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  if (!made) return tl::unexpected(made.error());
  return impl_->wait_for_leaders(topic, partitions, [](int led) { return led > 0; });
}

Result<void> TopicWriter::wait_for_leaders(const std::string& topic, int partitions) {
  const auto led = impl_->wait_for_leaders(topic, partitions, [](int) { return false; });
  return led ? Result<void>{} : tl::unexpected(led.error());
}

Result<void> TopicWriter::remove(const std::string& topic) {
  rd_kafka_DeleteTopic_t* raw = rd_kafka_DeleteTopic_new(topic.c_str());
  const DeleteTopicHandle wanted{raw};
  const QueueHandle queue{rd_kafka_queue_new(impl_->client->get())};
  rd_kafka_DeleteTopics(impl_->client->get(), &raw, 1, nullptr, queue.get());
  return impl_->answer(queue.get(), fmt::format("removing topic {}", topic));
}

Result<void> TopicWriter::produce(const std::string& topic, std::int32_t partition,
                                  std::string_view value) {
  auto* client = impl_->client->get();
  auto* handle = impl_->client->topic(topic);
  auto& deliveries = impl_->deliveries;
  while (true) {
    if (deliveries.failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return impl_->failed(deliveries.failure, "writing to topic " + topic);
    }
    // The value is copied: librdkafka's signature is older than const.
    if (rd_kafka_produce(handle, partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                         value.size(), nullptr, 0, &deliveries) == 0) {
      break;
    }
    const auto code = rd_kafka_last_error();
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      return impl_->failed(code, "writing to topic " + topic);
    }
    rd_kafka_poll(client, 100);
  }
  if (++deliveries.unacknowledged % 1'000 == 0) rd_kafka_poll(client, 0);
  return {};
}

std::int64_t TopicWriter::unacknowledged() {
  rd_kafka_poll(impl_->client->get(), 0);
  return impl_->deliveries.unacknowledged;
}

Result<void> TopicWriter::flush() {
  const auto code = rd_kafka_flush(impl_->client->get(), 5 * timeout_ms);
  const auto& deliveries = impl_->deliveries;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && deliveries.failure == RD_KAFKA_RESP_ERR_NO_ERROR &&
      deliveries.unacknowledged == 0) {
    return {};
  }
  return impl_->failed(code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : deliveries.failure,
                       "writing records");
}

}  // namespace semel::kafka
