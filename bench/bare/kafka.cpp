// The limit of topic to topic: consume -> produce, one Kafka transaction per 100,000 records. No
// ledger: where it stands, nobody knows afterwards. Key, value and timestamp are kept; compressed
// as semel's are.
//
// usage: bare-kafka --brokers B --topic T --partitions N --target T [--threads N] [--queue
// MESSAGES]
//        bare-kafka --create yes --brokers B --partitions N --target T [--timestamps LogAppendTime]
#include <librdkafka/rdkafka.h>

#include <array>
#include <string>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;

void check(rd_kafka_error_t* error) {
  if (error != nullptr) throw std::runtime_error(rd_kafka_error_string(error));
}

rd_kafka_t* producer(const bare::Arguments& arguments, const std::string& transactional_id) {
  auto* conf = rd_kafka_conf_new();
  bare::set(conf, "bootstrap.servers", arguments["--brokers"]);
  bare::set(conf, "compression.codec", "lz4");
  bare::set(conf, "linger.ms", "5");
  bare::set(conf, "partitioner", "murmur2_random");
  bare::set(conf, "queue.buffering.max.messages", "500000");
  bare::set(conf, "queue.buffering.max.kbytes", "65536");
  bare::set(conf, "delivery.report.only.error", "true");
  if (!transactional_id.empty()) bare::set(conf, "transactional.id", transactional_id);
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error(rd_kafka_err2str(message->err));
    }
  });
  char reason[512];
  auto* made = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  if (made == nullptr) throw std::runtime_error(reason);
  return made;
}

class Rows {
 public:
  Rows(const bare::Arguments& arguments, int thread)
      : producer_(producer(arguments, arguments["--target"] + "-" + std::to_string(thread))),
        target_(rd_kafka_topic_new(producer_, arguments["--target"].c_str(), nullptr)) {
    check(rd_kafka_init_transactions(producer_, -1));
  }
  ~Rows() {
    rd_kafka_topic_destroy(target_);
    rd_kafka_destroy(producer_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void begins(int) {}

  void add(const rd_kafka_message_t& message) {
    if (rows_ == 0) check(rd_kafka_begin_transaction(producer_));
    std::array<rd_kafka_vu_t, 6> record{};
    record[0].vtype = RD_KAFKA_VTYPE_RKT;
    record[0].u.rkt = target_;
    record[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    record[1].u.i32 = message.key == nullptr ? message.partition : RD_KAFKA_PARTITION_UA;
    record[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    record[2].u.i = RD_KAFKA_MSG_F_COPY;
    record[3].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    record[3].u.i64 = rd_kafka_message_timestamp(&message, nullptr);
    record[4].vtype = RD_KAFKA_VTYPE_KEY;
    record[4].u.mem = {message.key, message.key_len};
    record[5].vtype = RD_KAFKA_VTYPE_VALUE;
    record[5].u.mem = {message.payload, message.len};
    while (auto* error = rd_kafka_produceva(producer_, record.data(), record.size())) {
      if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) check(error);
      rd_kafka_error_destroy(error);
      rd_kafka_poll(producer_, 10);
    }
    if (++rows_ == rows_per_transaction) commit();
  }

  void commit() {
    if (rows_ == 0) return;
    check(rd_kafka_commit_transaction(producer_, -1));
    rows_ = 0;
  }

 private:
  rd_kafka_t* producer_;
  rd_kafka_topic_t* target_;
  std::size_t rows_ = 0;
};

/// With the broker's default replication.
void create(const bare::Arguments& arguments) {
  auto* client = producer(arguments, "");
  char reason[512];
  auto* topic = rd_kafka_NewTopic_new(arguments["--target"].c_str(),
                                      arguments.number("--partitions"), -1, reason, sizeof reason);
  rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", arguments["--timestamps"].c_str());
  auto* queue = rd_kafka_queue_new(client);
  rd_kafka_CreateTopics(client, &topic, 1, nullptr, queue);
  auto* event = rd_kafka_queue_poll(queue, 30'000);
  if (event == nullptr || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error("the topic cannot be made");
  }
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy(topic);
  rd_kafka_destroy(client);
}

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--partitions", "1"},
                             {"--threads", "1"},
                             {"--queue", "1000000"},
                             {"--create", "no"},
                             {"--timestamps", "CreateTime"}}};
  arguments.read(argc, argv);
  if (arguments["--create"] == "yes") {
    create(arguments);
    return 0;
  }
  bare::consume<Rows>(arguments, [&](int thread) { return Rows(arguments, thread); });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-kafka: %s\n", error.what());
  return 1;
}
