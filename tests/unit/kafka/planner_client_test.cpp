#include "kafka/planner_client.hpp"
#include "bench/data/embedded_broker.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "unit/kafka/reading.hpp"

namespace semel::kafka {

using Catch::Contains;
using Offsets = std::map<TopicPartition, Offset>;

namespace {

constexpr int timeout_ms = 10'000;

struct Cluster {
  std::unique_ptr<EmbeddedBroker> broker;
  Options options;

  explicit Cluster(int brokers = 1) : broker(EmbeddedBroker::start(brokers).value()) {
    options.brokers = broker->bootstrap_servers();
    options.commit_group_offsets = false;
  }
  std::unique_ptr<PlannerClient> connect() const {
    return PlannerClient::connect(options, "p").value();
  }
};

}  // namespace

TEST_CASE("every partition of the listed topics is found, in order") {
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("b", 2));
  REQUIRE(cluster.broker->create_topic("a", 3));
  REQUIRE(cluster.broker->create_topic("other", 1));
  cluster.options.topics = {"b", "a", "b"};
  const std::vector<TopicPartition> expected{{"a", 0}, {"a", 1}, {"a", 2}, {"b", 0}, {"b", 1}};
  CHECK(cluster.connect()->discover(timeout_ms).value().partitions == expected);
}

TEST_CASE("more topics than are asked one by one are found as well") {
  Cluster cluster;
  for (int i = 0; i < 20; ++i) {
    cluster.options.topics.push_back("t" + std::to_string(i));
    REQUIRE(cluster.broker->create_topic(cluster.options.topics.back(), 1));
  }
  CHECK(cluster.connect()->discover(timeout_ms).value().partitions.size() == 20);
  cluster.options.topics.emplace_back("missing");
  CHECK_THAT(cluster.connect()->discover(timeout_ms).error().message, Contains("missing"));
}

TEST_CASE("a pattern must match the whole name of a topic") {
  Cluster cluster;
  for (const auto* topic : {"orders", "orders-eu", "reorders", "__orders", "_orders"}) {
    REQUIRE(cluster.broker->create_topic(topic, 1));
  }
  const auto matching = [&](const std::string& pattern) {
    cluster.options.topic_pattern = pattern;
    std::vector<std::string> topics;
    const auto found = cluster.connect()->discover(timeout_ms);
    for (const auto& tp : found.value().partitions) topics.push_back(tp.topic);
    return topics;
  };
  using Topics = std::vector<std::string>;
  CHECK(matching("orders(-..)?") == Topics{"orders", "orders-eu"});
  CHECK(matching("orders") == Topics{"orders"});
  CHECK(matching("nothing.*").empty());
  // Internal topics only when they are meant.
  CHECK(matching(".*orders") == Topics{"orders", "reorders"});
  CHECK(matching("[a-z_-]+orders") == Topics{"reorders"});
  CHECK(matching("__ord.*") == Topics{"__orders"});
  CHECK(matching("^_orders|orders$") == Topics{"_orders", "orders"});
  CHECK(matching("_.*") == Topics{"_orders"});
}

TEST_CASE("a pattern that is no regular expression is a configuration error") {
  Options options{.brokers = "127.0.0.1:1", .topic_pattern = "a("};
  const auto client = PlannerClient::connect(options, "p");
  REQUIRE_FALSE(client);
  CHECK(client.error().cause == Cause::configuration);
}

TEST_CASE("earliest and latest of all partitions, over several leaders") {
  Cluster cluster(3);
  REQUIRE(cluster.broker->create_topic("t", 6));
  test::KafkaProducer producer(cluster.options.brokers);
  test::send_values(producer, "t", 1, 5);
  test::send_values(producer, "t", 4, 7);
  cluster.options.topics = {"t"};
  const auto client = cluster.connect();
  const auto tps = client->discover(timeout_ms).value().partitions;
  Offsets first;
  Offsets last;
  for (const auto& tp : tps) first[tp] = last[tp] = 0;
  last[{"t", 1}] = 5;
  last[{"t", 4}] = 7;
  CHECK(client->earliest(tps, timeout_ms).value() == first);
  CHECK(client->latest(tps, timeout_ms).value() == last);
  CHECK(client->latest({}, timeout_ms).value().empty());
}

TEST_CASE("the offsets of more partitions than one question asks for are all there") {
  constexpr int partitions = 600;
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("t", partitions));
  test::KafkaProducer producer(cluster.options.brokers);
  test::send_values(producer, "t", 0, 1);
  test::send_values(producer, "t", partitions / 2, 2);
  test::send_values(producer, "t", partitions - 1, 3);
  cluster.options.topics = {"t"};
  const auto client = cluster.connect();
  const auto latest =
      client->latest(client->discover(timeout_ms).value().partitions, timeout_ms).value();
  REQUIRE(latest.size() == partitions);
  std::map<Offset, int> counted;
  for (const auto& [tp, offset] : latest) ++counted[offset];
  CHECK(counted == std::map<Offset, int>{{0, partitions - 3}, {1, 1}, {2, 1}, {3, 1}});
}

TEST_CASE("offsets are asked for all partitions or for none") {
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("t", 1));
  const auto client = cluster.connect();
  const std::vector<TopicPartition> tps{{"t", 0}, {"t", 7}};
  const auto latest = client->latest(tps, 500);
  REQUIRE_FALSE(latest);
  CHECK(latest.error().cause == Cause::source);
}

TEST_CASE("a partition without a leader is listed, and keeps no other partition's offsets back") {
  Cluster cluster(3);
  REQUIRE(cluster.broker->create_topic("t", 4));
  REQUIRE(cluster.broker->create_topic("u", 1));
  test::KafkaProducer producer(cluster.options.brokers);
  test::send_values(producer, "t", 0, 3);
  cluster.options.topics = {"t", "u"};
  const auto client = cluster.connect();
  const TopicPartition without{"t", 2};
  const auto expect_others = [&] {
    const auto tps = client->discover(timeout_ms).value().partitions;
    REQUIRE(tps.size() == 5);
    const auto latest = client->known_latest(tps, timeout_ms).value();
    CHECK(latest.offsets == Offsets{{{"t", 0}, 3}, {{"t", 1}, 0}, {{"t", 3}, 0}, {{"u", 0}, 0}});
    REQUIRE(latest.unanswered.size() == 1);
    CHECK(latest.unanswered.at(without).kind == ErrorKind::unavailable);
    CHECK_THAT(latest.unanswered.at(without).message, Contains("no leader"));
  };
  SECTION("from the start") {
    REQUIRE(cluster.broker->set_leader("t", 2, 0));
    expect_others();
    const auto tps = client->discover(timeout_ms).value().partitions;
    // "latest" is resolved for all partitions of a topic, or for none.
    const auto latest =
        client->resolve_start(tps, StartLatest{}, BelowEarliest::refused, timeout_ms).value();
    CHECK(latest.offsets == Offsets{{{"u", 0}, 0}});
    CHECK(latest.unanswered.size() == 4);
    const auto earliest =
        client->resolve_start(tps, StartEarliest{}, BelowEarliest::refused, timeout_ms).value();
    CHECK(earliest.offsets.size() == 4);
  }
  SECTION("later, and it gets one again") {
    const auto tps = client->discover(timeout_ms).value().partitions;
    REQUIRE(client->known_latest(tps, timeout_ms).value().offsets.size() == 5);
    REQUIRE(cluster.broker->set_leader("t", 2, 0));
    expect_others();
    REQUIRE(cluster.broker->set_leader("t", 2, 1));
    CHECK(test::eventually(
        [&] { return client->known_latest(tps, timeout_ms).value().offsets.size() == 5; }));
  }
  SECTION("nobody has one") {
    for (int i = 0; i < 4; ++i) REQUIRE(cluster.broker->set_leader("t", i, 0));
    REQUIRE(cluster.broker->set_leader("u", 0, 0));
    const auto tps = client->discover(timeout_ms).value().partitions;
    CHECK(tps.size() == 5);
    CHECK(client->known_latest(tps, timeout_ms).error().kind == ErrorKind::unavailable);
  }
}

TEST_CASE("a broker that does not answer keeps back what it leads, and nothing else") {
  Cluster cluster(3);
  REQUIRE(cluster.broker->create_topic("t", 3));
  for (int i = 0; i < 3; ++i) REQUIRE(cluster.broker->set_leader("t", i, i + 1));
  cluster.options.topics = {"t"};
  const auto client = cluster.connect();
  const auto tps = client->discover(timeout_ms).value().partitions;
  REQUIRE(client->known_latest(tps, timeout_ms).value().offsets.size() == 3);
  REQUIRE(cluster.broker->set_down(2));
  for (int i = 0; i < 2; ++i) {
    const auto latest = client->known_latest(tps, 500).value();
    CHECK(latest.offsets == Offsets{{{"t", 0}, 0}, {{"t", 2}, 0}});
    REQUIRE(latest.unanswered.size() == 1);
    CHECK_THAT(latest.unanswered.at(TopicPartition{"t", 1}).message, Contains("broker 2"));
  }
}

TEST_CASE("a start offset that is not in the log is refused, with both offsets") {
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("t", 1));
  test::KafkaProducer producer(cluster.options.brokers);
  test::send_values(producer, "t", 0, 10);
  const auto client = cluster.connect();
  const std::vector<TopicPartition> tps{{"t", 0}};
  const auto resolve = [&](Offset offset) {
    return client->resolve_start(tps, StartOffsets{{{tps[0], offset}}}, BelowEarliest::refused,
                                 timeout_ms);
  };
  CHECK(resolve(10));
  const auto refused = resolve(1'000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::configuration);
  CHECK_THAT(refused.error().message, Contains("offset 1000 of t[0] is past the end 10"));
}

TEST_CASE("a start is resolved for every partition") {
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("t", 2));
  test::KafkaProducer producer(cluster.options.brokers);
  test::send_values(producer, "t", 1, 3);
  const auto client = cluster.connect();
  const std::vector<TopicPartition> tps{{"t", 0}, {"t", 1}};

  CHECK(client->resolve_start(tps, StartEarliest{}, BelowEarliest::refused, timeout_ms)
            .value()
            .offsets == Offsets{{tps[0], 0}, {tps[1], 0}});
  CHECK(client->resolve_start(tps, StartLatest{}, BelowEarliest::refused, timeout_ms)
            .value()
            .offsets == Offsets{{tps[0], 0}, {tps[1], 3}});
  // A stored offset of 0 is an offset.
  const StartOffsets given{{{tps[0], 0}, {tps[1], 2}, {{"other", 0}, 9}}};
  CHECK(client->resolve_start(tps, given, BelowEarliest::refused, timeout_ms).value().offsets ==
        Offsets{{tps[0], 0}, {tps[1], 2}});
  const StartOffsets partial{{{tps[0], 0}}};
  const auto refused = client->resolve_start(tps, partial, BelowEarliest::refused, timeout_ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::configuration);
  CHECK_THAT(refused.error().message, Contains("t[1]"));
}

TEST_CASE("brokers that cannot be reached are named with the reason") {
  Options options{.brokers = "127.0.0.1:1", .topics = {"t"}, .commit_group_offsets = false};
  const auto client = PlannerClient::connect(options, "p").value();
  for (const auto& error : {client->cluster_id(500).error(), client->discover(500).error()}) {
    CHECK(error.kind == ErrorKind::unavailable);
    CHECK(error.cause == Cause::source);
    CHECK_THAT(error.message, Contains("127.0.0.1:1") && Contains("Connection refused"));
  }
}

TEST_CASE("a broker's name that does not resolve is told") {
  Options options{
      .brokers = "no-such-host.invalid:9092", .topics = {"t"}, .commit_group_offsets = false};
  const auto client = PlannerClient::connect(options, "p").value();
  CHECK_THAT(client->discover(1'000).error().message, Contains("resolve"));
}

TEST_CASE("a cluster has an id") {
  Cluster cluster;
  CHECK_FALSE(cluster.connect()->cluster_id(timeout_ms).value().empty());
}

TEST_CASE("the embedded broker says why it cannot create a topic") {
  Cluster cluster;
  REQUIRE(cluster.broker->create_topic("t", 1));
  CHECK_THAT(cluster.broker->create_topic("t", 1).error().message, Contains("topic t"));
}

}  // namespace semel::kafka
