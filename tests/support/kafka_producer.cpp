#include "support/kafka_producer.hpp"

#include <librdkafka/rdkafka.h>

#include <stdexcept>

namespace semel::test {
namespace {

constexpr int producer_timeout_ms = 60'000;

}  // namespace

struct KafkaProducer::Impl {
  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client{nullptr, rd_kafka_destroy};
  std::map<std::pair<std::string, int>, std::int64_t> last;
  std::string failure;
  bool transactional = false;
  bool initialised = false;

  static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = *static_cast<Impl*>(opaque);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      self.failure = rd_kafka_err2str(message->err);
      return;
    }
    self.last[{rd_kafka_topic_name(message->rkt), message->partition}] = message->offset;
  }

  void check(rd_kafka_error_t* error, const char* what) const {
    if (error == nullptr) return;
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    throw std::runtime_error(std::string(what) + ": " + text);
  }
};

KafkaProducer::KafkaProducer(const std::string& bootstrap_servers,
                             const std::map<std::string, std::string>& config)
    : impl_(std::make_unique<Impl>()) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::map<std::string, std::string> all = config;
  all["bootstrap.servers"] = bootstrap_servers;
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof error) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(error);
    }
  }
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_conf_set_opaque(conf, impl_.get());
  rd_kafka_conf_set_dr_msg_cb(conf, Impl::delivered);
  impl_->client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error));
  if (impl_->client == nullptr) {
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(error);
  }
  impl_->transactional = config.count("transactional.id") != 0;
}

KafkaProducer::~KafkaProducer() {
  // Not to wait for what cannot be delivered any more.
  rd_kafka_purge(impl_->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void KafkaProducer::produce(const std::string& topic, int partition,
                            std::optional<std::string_view> key,
                            std::optional<std::string_view> value, const Headers& headers,
                            std::int64_t timestamp_ms) {
  rd_kafka_headers_t* list = nullptr;
  if (!headers.empty()) {
    list = rd_kafka_headers_new(headers.size());
    for (const auto& [name, content] : headers) {
      rd_kafka_header_add(list, name.c_str(), static_cast<ssize_t>(name.size()),
                          content ? content->data() : nullptr,
                          content ? static_cast<ssize_t>(content->size()) : 0);
    }
  }
  // An empty key or value is not an absent one: its pointer must not be null.
  const auto pointer = [](const std::optional<std::string_view>& view) -> void* {
    if (!view) return nullptr;
    return const_cast<char*>(view->data() == nullptr ? "" : view->data());
  };
  const std::size_t key_size = key ? key->size() : 0;
  const std::size_t value_size = value ? value->size() : 0;
  for (;;) {
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        impl_->client.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(pointer(key), key_size), RD_KAFKA_V_VALUE(pointer(value), value_size),
        RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      if (list != nullptr) rd_kafka_headers_destroy(list);
      throw std::runtime_error("producing to " + topic + ": " + rd_kafka_err2str(error));
    }
    rd_kafka_poll(impl_->client.get(), 100);
  }
  rd_kafka_poll(impl_->client.get(), 0);
}

void KafkaProducer::flush() {
  const rd_kafka_resp_err_t error = rd_kafka_flush(impl_->client.get(), producer_timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error(std::string("flushing a producer: ") + rd_kafka_err2str(error));
  }
  if (!impl_->failure.empty()) {
    throw std::runtime_error("a record was not delivered: " + std::exchange(impl_->failure, {}));
  }
}

void KafkaProducer::begin() {
  if (!impl_->initialised) {
    impl_->check(rd_kafka_init_transactions(impl_->client.get(), producer_timeout_ms),
                 "init transactions");
    impl_->initialised = true;
  }
  impl_->check(rd_kafka_begin_transaction(impl_->client.get()), "begin transaction");
}

void KafkaProducer::commit() {
  flush();
  impl_->check(rd_kafka_commit_transaction(impl_->client.get(), producer_timeout_ms),
               "commit transaction");
}

void KafkaProducer::abort() {
  // What is written must be in the log, so that there is something to abort.
  flush();
  impl_->check(rd_kafka_abort_transaction(impl_->client.get(), producer_timeout_ms),
               "abort transaction");
}

std::optional<std::int64_t> KafkaProducer::last_offset(const std::string& topic,
                                                       int partition) const {
  const auto found = impl_->last.find({topic, partition});
  if (found == impl_->last.end()) return std::nullopt;
  return found->second;
}

}  // namespace semel::test
