#include <librdkafka/rdkafka.h>

#include "integration/kafka/fixture.hpp"
#include "kafka/handles.hpp"

namespace semel::test {

using Catch::Contains;
using Offsets = std::map<TopicPartition, Offset>;

namespace {

/// What a group has committed, as Kafka's lag tools see it; -1001 for nothing.
Offset group_offset(const Topic& topic, const std::string& group) {
  kafka::ConfHandle conf{rd_kafka_conf_new()};
  char reason[256];
  rd_kafka_conf_set(conf.get(), "bootstrap.servers", topic.options.brokers.c_str(), reason,
                    sizeof reason);
  rd_kafka_conf_set(conf.get(), "group.id", group.c_str(), reason, sizeof reason);
  const kafka::ClientHandle client{
      rd_kafka_new(RD_KAFKA_CONSUMER, conf.release(), reason, sizeof reason)};
  const kafka::PartitionListHandle list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), topic.name.c_str(), 0);
  rd_kafka_committed(client.get(), list.get(), timeout_ms);
  return list->elems[0].offset;
}

}  // namespace

TEST_CASE("an unknown topic is fatal, named, and not created by asking for it") {
  if (!kafka_available()) return;
  Topic topic;
  topic.options.topics.emplace_back("mistyped");
  const auto planner = topic.planner();
  for (int i = 0; i < 2; ++i) {
    const auto found = planner->discover(timeout_ms);
    REQUIRE_FALSE(found);
    CHECK(found.error().kind == ErrorKind::fatal);
    CHECK(found.error().cause == Cause::source);
    CHECK_THAT(found.error().message, Contains("no topic mistyped"));
  }
}

TEST_CASE("partition count grows while running: the new ones are found and can be read") {
  if (!kafka_available()) return;
  Topic topic(2);
  const auto planner = topic.planner();
  REQUIRE(planner->discover(timeout_ms).value().partitions.size() == 2);
  const auto reader = topic.reader();
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 3);
  REQUIRE(read_range(*reader, topic.range(0, 3)).size() == 3);
  topic.server.add_partitions(topic.name, 4);
  REQUIRE(eventually([&] { return planner->discover(timeout_ms).value().partitions.size() == 4; }));
  auto again = topic.producer();
  send_values(again, topic.name, 3, 5);
  const TopicPartition added{topic.name, 3};
  CHECK(planner->latest({&added, 1}, timeout_ms).value().at(added) == 5);
  CHECK(offsets_of(read_range(*reader, {added, 0, 5})) == all_of(0, 5));
}

TEST_CASE("a timestamp is resolved to the first record at or after it, or to the end") {
  if (!kafka_available()) return;
  Topic topic(3);
  auto producer = topic.producer();
  for (int i = 0; i < 10; ++i) {
    producer.produce(topic.name, 0, {}, "v", {}, 1'700'000'000'000 + i * 1'000);
  }
  producer.produce(topic.name, 1, {}, "old", {}, 1'600'000'000'000);
  producer.flush();
  const auto planner = topic.planner();
  const auto tps = planner->discover(timeout_ms).value().partitions;
  const std::int64_t moment = 1'700'000'004'500;
  CHECK(planner
            ->resolve_start(tps, kafka::StartTimestamp{moment}, kafka::BelowEarliest::refused,
                            timeout_ms)
            .value()
            .offsets == Offsets{{tps[0], 5}, {tps[1], 1}, {tps[2], 0}});
  CHECK(
      planner
          ->resolve_start(tps, kafka::StartTimestamp{0}, kafka::BelowEarliest::refused, timeout_ms)
          .value()
          .offsets == Offsets{{tps[0], 0}, {tps[1], 0}, {tps[2], 0}});
}

TEST_CASE("earliest is the first offset that can be read") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  topic.server.delete_records(topic.name, 0, 6);
  CHECK(topic.earliest() == 6);
  CHECK(topic.latest() == 10);
}

TEST_CASE("offsets of a topic that is gone are an error for all partitions") {
  if (!kafka_available()) return;
  Topic topic;
  Topic other;
  const auto planner = topic.planner();
  const std::vector<TopicPartition> tps{topic.tp, other.tp};
  REQUIRE(planner->latest(tps, timeout_ms));
  other.server.delete_topic(other.name);
  const auto latest = planner->latest(tps, 1'000);
  REQUIRE_FALSE(latest);
  CHECK(latest.error().cause == Cause::source);
}

TEST_CASE("group offsets are shown to Kafka's tools without joining the group") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  topic.options.commit_group_offsets = true;
  const auto group = unique_name("group");
  SECTION("under the name that is set") {
    topic.options.group_id = group;
  }
  SECTION("under the pipeline's name by default") {}
  const auto planner = kafka::PlannerClient::connect(topic.options, group).value();
  CHECK(eventually([&] {
    planner->commit_group_offsets({{topic.tp, 7}});
    return group_offset(topic, group) == 7;
  }));
}

TEST_CASE("offsets of a group that somebody else has are left alone") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  topic.options.commit_group_offsets = true;
  const auto group = unique_name("group");
  topic.options.group_id = group;
  const auto other = kafka::PlannerClient::connect(topic.options, "another pipeline").value();
  REQUIRE(eventually([&] {
    other->commit_group_offsets({{topic.tp, 3}});
    other->finish_group_offsets(std::chrono::seconds(1));
    return group_offset(topic, group) == 3;
  }));
  const auto planner = kafka::PlannerClient::connect(topic.options, "p").value();
  planner->commit_group_offsets({{topic.tp, 7}});
  planner->finish_group_offsets(std::chrono::seconds(20));
  CHECK(planner->group_offsets_written());
  CHECK(group_offset(topic, group) == 3);
  // Its own are its own, also for the next process.
  const auto again = kafka::PlannerClient::connect(topic.options, "another pipeline").value();
  again->commit_group_offsets({{topic.tp, 8}});
  again->finish_group_offsets(std::chrono::seconds(20));
  CHECK(group_offset(topic, group) == 8);
  // One that has shown another partition in this group before learns it of each partition.
  Topic second;
  send_values(producer, second.name, 0, 10);
  const auto late = kafka::PlannerClient::connect(topic.options, "p").value();
  late->commit_group_offsets({{second.tp, 5}});
  late->finish_group_offsets(std::chrono::seconds(20));
  REQUIRE(group_offset(second, group) == 5);
  late->commit_group_offsets({{topic.tp, 9}});
  late->finish_group_offsets(std::chrono::seconds(20));
  CHECK(group_offset(topic, group) == 8);
}

TEST_CASE("internal topics are subscribed only where a pattern names them") {
  if (!kafka_available()) return;
  Topic topic;
  topic.options.commit_group_offsets = true;  // makes __consumer_offsets come into being
  const auto planner = topic.planner();
  REQUIRE(eventually([&] {
    planner->commit_group_offsets({{topic.tp, 0}});
    return group_offset(topic, "p") == 0;
  }));
  const auto internal = [&](const std::string& pattern) {
    topic.options.topic_pattern = pattern;
    const auto found = topic.planner()->discover(timeout_ms).value().partitions;
    return std::ranges::any_of(found, [](const auto& tp) { return tp.topic.starts_with("__"); });
  };
  CHECK_FALSE(internal(".*"));
  CHECK(internal("__consumer_offsets"));
}

TEST_CASE("the cluster has an id, the same for every client") {
  if (!kafka_available()) return;
  Topic topic;
  const auto id = topic.planner()->cluster_id(timeout_ms).value();
  CHECK_FALSE(id.empty());
  CHECK(topic.planner()->cluster_id(timeout_ms).value() == id);
}

}  // namespace semel::test
