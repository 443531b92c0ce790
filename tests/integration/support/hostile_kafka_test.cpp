// The hostile proxy itself: a plain client behind it sees what it is told to do.
#include <librdkafka/rdkafka.h>

#include <fmt/format.h>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

struct Seen {
  std::vector<std::int64_t> offsets;
  std::vector<rd_kafka_resp_err_t> errors;  ///< but for the end of the partition
  bool end = false;
};

/// A consumer of librdkafka's own kind, without anything of ours.
class Consumer {
 public:
  explicit Consumer(const std::string& brokers, std::map<std::string, std::string> config = {}) {
    config.insert({{"bootstrap.servers", brokers},
                   {"group.id", "hostile"},
                   {"enable.partition.eof", "true"},
                   {"check.crcs", "true"},
                   {"enable.auto.commit", "false"},
                   {"reconnect.backoff.max.ms", "200"},
                   {"log_level", "0"}});
    auto* conf = rd_kafka_conf_new();
    for (const auto& [name, value] : config) {
      REQUIRE(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), nullptr, 0) == RD_KAFKA_CONF_OK);
    }
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int code, const char*, void* self) {
      ++static_cast<Consumer*>(self)->client_errors[static_cast<rd_kafka_resp_err_t>(code)];
    });
    client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0));
    REQUIRE(client_);
  }

  /// Until the end of the partition, an error, or nothing for `patience`.
  Seen read(const std::string& topic, std::chrono::milliseconds patience = 10s) {
    auto* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client_.get(), list);
    rd_kafka_topic_partition_list_destroy(list);
    Seen seen;
    while (auto* message =
               rd_kafka_consumer_poll(client_.get(), static_cast<int>(patience.count()))) {
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) seen.offsets.push_back(message->offset);
      seen.end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !seen.end) {
        seen.errors.push_back(message->err);
      }
      const bool over = message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
      rd_kafka_message_destroy(message);
      if (over) break;
    }
    rd_kafka_assign(client_.get(), nullptr);
    return seen;
  }

  /// What the metadata say of partition 0: error, leader, and the port of the only broker.
  struct State {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int leader = -1;
    int port = 0;
  };
  State state(const std::string& topic, int timeout_ms = 5'000) {
    const struct rd_kafka_metadata* answer = nullptr;
    auto* handle = rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr);
    State state;
    if (rd_kafka_metadata(client_.get(), 0, handle, &answer, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      REQUIRE(answer->topic_cnt == 1);
      REQUIRE(answer->brokers[0].port != 0);
      state = {answer->topics[0].partitions[0].err, answer->topics[0].partitions[0].leader,
               answer->brokers[0].port};
      rd_kafka_metadata_destroy(answer);
    }
    rd_kafka_topic_destroy(handle);
    rd_kafka_poll(client_.get(), 0);
    return state;
  }

  std::string cluster() {
    char* id = rd_kafka_clusterid(client_.get(), 5'000);
    std::string text = id == nullptr ? "" : id;
    if (id != nullptr) rd_kafka_mem_free(client_.get(), id);
    return text;
  }

  void serve() { rd_kafka_poll(client_.get(), 20); }
  std::map<rd_kafka_resp_err_t, int> client_errors;

 private:
  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client_{nullptr, rd_kafka_destroy};
};

/// A topic of `batches` batches of ten records.
std::string make_topic(int batches) {
  auto& kafka = KafkaServer::shared();
  const auto topic = unique_name("hostile");
  kafka.create_topic(topic, 1);
  KafkaProducer producer(kafka.bootstrap_servers());
  for (int i = 0; i < batches; ++i) {
    for (int j = 0; j < 10; ++j) producer.produce(topic, 0, std::nullopt, std::string(1'000, 'x'));
    producer.flush();
  }
  return topic;
}

int broker_port() {
  const auto address = KafkaServer::shared().bootstrap_servers();
  return std::stoi(address.substr(address.find(':') + 1));
}

}  // namespace

TEST_CASE("behind the proxy a client reads everything, and never leaves it") {
  if (!kafka_available()) return;
  const auto topic = make_topic(10);
  HostileKafka proxy(broker_port());
  Consumer consumer(proxy.address());
  const auto seen = consumer.read(topic);
  CHECK(seen.end);
  CHECK(seen.offsets.size() == 100);
  CHECK(consumer.state(topic).port == proxy.port());
  CHECK(consumer.cluster().size() == 22);
  CHECK(proxy.not_understood() == 0);
  CHECK(proxy.requests(Api::fetch) > 0);
  CHECK(proxy.answered_bytes() > 100'000);
}

TEST_CASE("the proxy delays and throttles answers") {
  if (!kafka_available()) return;
  const auto topic = make_topic(10);
  HostileKafka proxy(broker_port());
  Consumer consumer(proxy.address());
  REQUIRE(consumer.state(topic).leader >= 0);
  auto begun = Clock::now();
  SECTION("delay") {
    CHECK(proxy.obey("delay fetch 700").empty());
    CHECK(consumer.read(topic).offsets.size() == 100);
    CHECK(Clock::now() - begun >= 700ms);
  }
  SECTION("throttle") {
    CHECK(proxy.obey("throttle 100000").empty());
    CHECK(consumer.read(topic).offsets.size() == 100);
    // 100 kB, of which a second's worth at most had been saved up.
    const auto first = proxy.answered_bytes();
    CHECK(first > 100'000);
    begun = Clock::now();
    CHECK(consumer.read(topic).offsets.size() == 100);
    CHECK(Clock::now() - begun >= 500ms);
  }
}

TEST_CASE("the proxy stops, cuts and refuses, and a client comes back") {
  if (!kafka_available()) return;
  const auto topic = make_topic(1);
  HostileKafka proxy(broker_port());
  Consumer consumer(proxy.address());
  REQUIRE(consumer.state(topic).leader >= 0);
  CHECK(proxy.obey("stop").empty());
  CHECK(consumer.state(topic, 300).leader < 0);
  CHECK(proxy.obey("resume").empty());
  CHECK(consumer.state(topic).leader >= 0);
  proxy.cut();
  CHECK(eventually([&] {
    return consumer.client_errors[RD_KAFKA_RESP_ERR__TRANSPORT] > 0 || (consumer.serve(), false);
  }));
  CHECK(consumer.read(topic).offsets.size() == 10);
  CHECK(proxy.obey("connections refuse").empty());
  CHECK(consumer.state(topic, 300).leader < 0);
  CHECK(proxy.obey("connections accept").empty());
  CHECK(eventually([&] { return consumer.state(topic).leader >= 0; }));
}

TEST_CASE("the proxy refuses logins that a broker without security never sees") {
  if (!kafka_available()) return;
  const auto topic = make_topic(1);
  HostileKafka proxy(broker_port());
  const std::map<std::string, std::string> login{{"security.protocol", "SASL_PLAINTEXT"},
                                                 {"sasl.mechanisms", "PLAIN"},
                                                 {"sasl.username", "somebody"},
                                                 {"sasl.password", "something"}};
  Consumer consumer(proxy.address(), login);
  CHECK(consumer.read(topic).offsets.size() == 10);
  CHECK(proxy.obey("logins refuse").empty());
  proxy.cut();
  CHECK(eventually([&] {
    consumer.serve();
    return consumer.client_errors[RD_KAFKA_RESP_ERR__AUTHENTICATION] > 0;
  }));
  CHECK(proxy.obey("logins accept").empty());
  CHECK(eventually([&] { return consumer.state(topic).leader >= 0; }));
}

TEST_CASE("the proxy speaks of a partition without leader, of errors, and as another cluster") {
  if (!kafka_available()) return;
  const auto topic = make_topic(1);
  HostileKafka proxy(broker_port());
  CHECK(proxy.obey("leaderless " + topic + " 0").empty());
  {
    Consumer consumer(proxy.address());
    const auto state = consumer.state(topic);
    CHECK(state.error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    CHECK(state.leader == -1);
  }
  CHECK(proxy.obey("led " + topic + " 0").empty());
  CHECK(proxy.obey("fail fetch " + topic + " 0 29").empty());
  CHECK(proxy.obey("cluster AAAAAAAAAAAAAAAAAAAAAA").empty());
  Consumer consumer(proxy.address());
  const auto seen = consumer.read(topic);
  CHECK(seen.errors == std::vector{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  CHECK(seen.offsets.empty());
  CHECK(consumer.cluster() == "AAAAAAAAAAAAAAAAAAAAAA");
  CHECK(proxy.obey("well").empty());
  CHECK(Consumer(proxy.address()).read(topic).offsets.size() == 10);
  CHECK(proxy.not_understood() == 0);
}

TEST_CASE("the proxy stands before another broker when told") {
  if (!kafka_available()) return;
  const auto topic = make_topic(1);
  KafkaServer other;
  other.create_topic(topic, 1);
  const auto address = other.bootstrap_servers();
  HostileKafka proxy(broker_port());
  Consumer consumer(proxy.address());
  CHECK(consumer.read(topic).offsets.size() == 10);
  // Before the change: this client follows it, too.
  const auto before = consumer.cluster();
  CHECK(proxy.obey("target " + address.substr(address.find(':') + 1)).empty());
  Consumer another(proxy.address());
  CHECK(another.read(topic).end);
  CHECK(another.state(topic).port == proxy.port());
  CHECK(another.cluster() != before);
}

TEST_CASE("the proxy damages the batch that it is told to, as often as it is told to") {
  if (!kafka_available()) return;
  const auto topic = make_topic(10);
  HostileKafka proxy(broker_port());
  SECTION("its content") {
    CHECK(proxy.obey("damage content " + topic + " 0 57").empty());
    const auto seen = Consumer(proxy.address()).read(topic);
    CHECK(seen.offsets.size() == 50);
    CHECK(seen.errors == std::vector{RD_KAFKA_RESP_ERR__BAD_MSG});
  }
  SECTION("its version") {
    CHECK(proxy.obey("damage magic * -1 57 1 1").empty());
    const auto seen = Consumer(proxy.address()).read(topic);
    CHECK(seen.offsets.size() == 50);
    CHECK(seen.errors == std::vector{RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED});
    CHECK(Consumer(proxy.address()).read(topic).offsets.size() == 100);
  }
  SECTION("its offset") {
    CHECK(proxy.obey("damage base_offset " + topic + " 0 57 1000").empty());
    const auto seen = Consumer(proxy.address()).read(topic);
    REQUIRE(seen.offsets.size() >= 60);
    CHECK(seen.offsets[50] == 1'050);
  }
  CHECK(proxy.damages() > 0);
  CHECK(proxy.not_understood() == 0);
}

TEST_CASE("the proxy is a program, too, and says what it does not understand") {
  if (!kafka_available()) return;
  const auto port = std::to_string(broker_port());
  const auto told = run({.argv = {HOSTILE_KAFKA, port},
                         .input = "delay fetch 10\nsilence\ndamage magic topic\nwell\n"});
  CHECK(told.code == 0);
  CHECK_THAT(told.out,
             Catch::Contains("port ") && Catch::Contains("\ndone\nno such command: silence\n"
                                                         "incomplete: damage magic topic\ndone\n"));
}
