// What Kafka does not say, or says of another cluster: partitions without a leader, topics that go
// away unread, rights that are missing.
#include <fmt/format.h>
#include <csignal>
#include <string>
#include <thread>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> look_often{"--set", "source.kafka.discovery_interval=300ms"};

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void subscribe_by_pattern(const Rig& rig) {
  auto text = read_file(rig.config());
  const auto line = "topics = [\"" + rig.topic() + "\"]";
  text.replace(text.find(line), line.size(), "topic_pattern = '" + rig.topic() + ".*'");
  write_file(rig.config(), text);
}

}  // namespace

TEST_CASE(
    "a partition without a leader keeps no other from being read, and is read when it has one") {
  if (!kafka_available()) return;
  HostileKafka proxy(KafkaServer::shared().port());
  Rig rig(3);
  rig.through_brokers(proxy.address());
  rig.configure(std::string(quick));
  rig.produce(300);
  const auto started_without = GENERATE(true, false);
  if (started_without) proxy.leaderless(rig.topic(), 1);
  auto semel = rig.start("run", look_often);
  if (!started_without) {
    REQUIRE(rig.grows(299));
    proxy.leaderless(rig.topic(), 1);
    proxy.cut();
    rig.produce(300);
  }
  const bool said = says(semel, "has no leader at the moment", 20s);
  INFO(started_without << "\n" << semel.err());
  REQUIRE(said);
  const auto led = [&] { return rig.number("SELECT count(*) FROM events WHERE p <> 1"); };
  REQUIRE(eventually([&] { return led() == rig.produced() / 3 * 2; }));
  rig.produce(300);
  REQUIRE(eventually([&] { return led() == rig.produced() / 3 * 2; }));
  if (started_without) CHECK(rig.rows() == rig.produced() / 3 * 2);
  proxy.leaderless(rig.topic(), 1, false);
  REQUIRE(rig.grows(rig.produced() - 1));
  CHECK(count_of(semel.err(), "has no leader at the moment") < 4);
  finish_well(rig, semel);
}

TEST_CASE(
    "a run with --once ends where a partition has no leader for as long as a start may take") {
  if (!kafka_available()) return;
  HostileKafka proxy(KafkaServer::shared().port());
  Rig rig(2);
  rig.through_brokers(proxy.address());
  rig.configure("[timeouts]\nstartup = \"2s\"\n");
  rig.produce(10);
  proxy.leaderless(rig.topic(), 1);
  auto semel = rig.start("run", {"--once"});
  expect_end(semel, 3, {rig.topic() + "[1]", "no leader"});
}

TEST_CASE(
    "another cluster under a running pipeline is noticed by its id, and nothing of it is stored") {
  if (!kafka_available()) return;
  HostileKafka proxy(KafkaServer::shared().port());
  Rig rig(2);
  rig.through_brokers(proxy.address());
  rig.configure(std::string(quick));
  rig.produce(100);
  auto semel = rig.start("run", {"--set", "on_data_loss=skip"});
  REQUIRE(rig.grows(99));
  // The same records at the same offsets: only the id tells.
  proxy.pretend_cluster("AnotherClusterAltogetA");
  proxy.cut();
  rig.produce(100);
  expect_end(semel, 6, {"answers as cluster AnotherClusterAltogetA"});
  CHECK(rig.rows() == 100);
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("a topic of a pattern that goes away unread is lost data, also for --once") {
  if (!kafka_available()) return;
  auto& kafka = KafkaServer::shared();
  HostileKafka proxy(kafka.port());
  Rig rig(1);
  const auto other = rig.topic() + "-other";
  kafka.create_topic(other, 1);
  rig.through_brokers(proxy.address());
  // A batch that is one fact would wait for the topic that is not read.
  rig.configure(quick_by_range());
  subscribe_by_pattern(rig);
  rig.produce(100);
  {
    KafkaProducer producer(kafka.bootstrap_servers());
    producer.produce(other, 0, {}, "{\"id\":1000000}");
    producer.flush();
  }
  constexpr std::int16_t not_leader = 6;
  proxy.fail(Api::fetch, other, 0, not_leader);
  auto args = look_often;
  args.emplace_back("--once");
  auto semel = rig.start("run", args);
  REQUIRE(rig.grows(99));
  kafka.delete_topic(other);
  proxy.fail(Api::fetch, other, 0, 0);
  expect_end(semel, 6, {other});
  CHECK(rig.rows() == 100);
}

TEST_CASE("a topic of a pattern that may not be seen for a while is read on where it stood") {
  if (!kafka_available()) return;
  auto& kafka = KafkaServer::shared();
  HostileKafka proxy(kafka.port());
  Rig rig(1);
  const auto other = rig.topic() + "-other";
  kafka.create_topic(other, 1);
  KafkaProducer producer(kafka.bootstrap_servers());
  const auto produce = [&](int from, int until) {
    for (int i = from; i < until; ++i) {
      producer.produce(other, 0, {}, fmt::format("{{\"id\":{}}}", 1'000'000 + i));
    }
    producer.flush();
  };
  rig.write_as_configured();
  rig.through_brokers(proxy.address());
  rig.configure(std::string(quick));
  subscribe_by_pattern(rig);
  rig.produce(100);
  produce(0, 10);
  auto args = look_often;
  args.insert(args.end(), {"--set", "on_data_loss=skip"});
  auto semel = rig.start("run", args);
  REQUIRE(rig.grows(109));
  // Records that wait: a position behind the end.
  constexpr std::int16_t not_leader = 6;
  proxy.fail(Api::fetch, other, 0, not_leader);
  produce(10, 20);
  kafka.deny_topic(other);
  REQUIRE(says(semel, other + "[0]: this login may not see the topic"));
  // For longer than Kafka may deny what it had before it is believed.
  std::this_thread::sleep_for(12s);
  rig.produce(100);
  REQUIRE(rig.grows(209));
  kafka.allow_topic(other);
  proxy.fail(Api::fetch, other, 0, 0);
  REQUIRE(rig.grows(219));
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(30s));
  CHECK(count_of(semel.err(), "this login may not see the topic") == 1);
  CHECK(rig.rows() == 220);
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == 220);
  CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE kind = 'lost'") == 0);
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("without a right on the group the pipeline works, says so once, and ends at once") {
  if (!kafka_available()) return;
  auto& kafka = KafkaServer::shared();
  Rig rig(1);
  const auto& topic = rig.topic();
  rig.configure(std::string(quick));
  rig.produce(10);
  // The pipeline's name is that of its topic.
  kafka.deny_group(topic);
  auto once = rig.start("run", {"--once"});
  // It was 44 s; whoever waits for a second and a half has ended by then.
  REQUIRE(once.wait(15s));
  INFO(once.err());
  CHECK(count_of(once.err(), "Kafka's lag tools do not see this pipeline's progress") == 1);
  CHECK(rig.rows() == 10);
  auto semel = rig.start();
  rig.produce(10);
  REQUIRE(rig.grows(19));
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(15s));
}
