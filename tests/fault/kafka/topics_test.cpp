// Topics that are deleted, made anew, or get more partitions, before and under a running pipeline.
#include <csignal>
#include <string>
#include <vector>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> discover_often{"--set", "source.kafka.discovery_interval=300ms"};

void make_anew(const Rig& rig, int partitions) {
  auto& kafka = KafkaServer::shared();
  kafka.delete_topic(rig.topic());
  kafka.create_topic(rig.topic(), partitions);
}

/// Every id is there once, whatever offsets the logs gave them; the history holds.
void expect_each_id_once(Rig& rig) {
  CHECK(rig.rows() == rig.produced());
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == rig.produced());
  expect_no_dead_letters(rig);
  const auto verified = rig.finish("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}

}  // namespace

TEST_CASE("topics that are deleted under running pipelines are errors once they stay away") {
  if (!kafka_available()) return;
  auto& kafka = KafkaServer::shared();
  Rig idle(2);
  idle.configure(std::string(quick));
  idle.produce(1'000);
  auto with_all = idle.start("run", discover_often);
  REQUIRE(idle.grows(999));

  Rig busy(2);
  busy.configure(std::string(quick));
  busy.produce(100'000);
  auto with_some = busy.start("run", discover_often);
  REQUIRE(busy.grows(0));
  with_some.signal(SIGSTOP);
  REQUIRE(busy.rows() < busy.produced());

  kafka.delete_topic(idle.topic());
  kafka.delete_topic(busy.topic());
  with_some.signal(SIGCONT);

  expect_end(with_some, 6, {"topic " + busy.topic() + " no longer exists", "offset "});
  CHECK(busy.number("SELECT count(*) - count(DISTINCT id) FROM events") == 0);
  CHECK(busy.rows() < busy.produced());
  CHECK(busy.finish("verify").code == 0);
  expect_end(with_all, 6, {"topic " + idle.topic() + " no longer exists"});
  CHECK(idle.rows() == 1'000);
  CHECK(idle.finish("verify").code == 0);
}

// Spark's KafkaMicroBatchSourceSuite, "subscribing topic by pattern with topic deletions".
TEST_CASE("a topic of a pattern that is deleted does not hold up the others") {
  if (!kafka_available()) return;
  Rig rig(1);
  const auto other = rig.topic() + "-other";
  auto& kafka = KafkaServer::shared();
  kafka.create_topic(other, 1);
  rig.configure(std::string(quick));
  write_file(rig.config(), [&] {
    auto text = read_file(rig.config());
    const auto line = "topics = [\"" + rig.topic() + "\"]";
    text.replace(text.find(line), line.size(), "topic_pattern = '" + rig.topic() + ".*'");
    return text;
  }());
  rig.produce(1'000);
  auto semel = rig.start("run", discover_often);
  REQUIRE(rig.grows(999));
  REQUIRE(eventually([&] { return rig.number("SELECT count(*) FROM semel_progress") == 2; }));
  kafka.delete_topic(other);
  REQUIRE(says(semel, other + "[0] is gone from Kafka"));
  rig.produce(1'000);
  REQUIRE(rig.grows(1'999));
  finish_well(rig, semel);
}

// Spark's KafkaMicroBatchSourceSuite, "SPARK-22956" and "delete a topic when a Spark job is
// running".
TEST_CASE("a topic made anew while semel was down is refused, with what is wanted and there") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  store_then_kill(rig, 200);
  make_anew(rig, 2);
  std::string there;
  std::string said;
  SECTION("smaller than the position") {
    rig.produce(20);
    there = "ends at 10 ";
    said = "created anew or truncated";
  }
  SECTION("grown past the position") {
    rig.produce(600);
    there = "ends at 300";
    said = "the topic was created anew: the record at offset 99 has timestamp";
  }
  auto again = rig.start();
  expect_end(again, 6, {rig.topic() + "[", "ffset 100", "begins at 0", there, said});
  CHECK(rig.rows() == 200);
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("a topic made anew and refilled under the running pipeline is refused") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(200);
  auto semel = rig.start("run", discover_often);
  REQUIRE(rig.grows(199));
  make_anew(rig, 2);
  rig.produce(600);
  expect_end(semel, 6, {rig.topic() + "[", "ffset 100", "created anew"});
  CHECK(rig.rows() == 200);
  CHECK(rig.finish("verify").code == 0);
}

// The proxy holds the moment in which the new log is still shorter than what was read of the old
// one.
TEST_CASE(
    "a topic made anew is refused though it fills up past the position while it is looked at") {
  if (!kafka_available()) return;
  HostileKafka proxy(KafkaServer::shared().port());
  Rig rig(1);
  rig.through_brokers(proxy.address());
  rig.configure(std::string(quick));
  rig.produce(200);
  auto semel = rig.start("run", discover_often);
  REQUIRE(rig.grows(199));
  constexpr std::int16_t out_of_range = 1;
  proxy.fail(Api::fetch, rig.topic(), 0, out_of_range);
  make_anew(rig, 1);
  rig.produce(600);
  const auto before = proxy.requests(Api::fetch);
  REQUIRE(eventually([&] { return proxy.requests(Api::fetch) > before + 2; }));
  proxy.fail(Api::fetch, rig.topic(), 0, 0);
  expect_end(semel, 6, {rig.topic() + "[0]", "ffset 200", "created anew"});
  CHECK(rig.rows() == 200);
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("with on_data_loss = skip the new log is read from its beginning, on record") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.write_as_configured();
  rig.configure(std::string(quick));
  rig.produce(200);
  const std::vector<std::string> skip{"--set", "source.kafka.discovery_interval=300ms", "--set",
                                      "on_data_loss=skip"};
  auto semel = rig.start("run", skip);
  REQUIRE(rig.grows(199));
  SECTION("made anew while it was down, and smaller") {
    semel.kill();
    make_anew(rig, 2);
    rig.produce(20);
    semel = rig.start("run", skip);
  }
  SECTION("made anew while it was down, and grown past the position") {
    semel.kill();
    make_anew(rig, 2);
    rig.produce(600);
    semel = rig.start("run", skip);
  }
  SECTION("made anew and refilled while it runs") {
    make_anew(rig, 2);
    rig.produce(600);
  }
  const bool read = rig.grows(rig.produced() - 1);
  INFO(semel.err());
  REQUIRE(read);
  CHECK(rig.value("SELECT string_agg(\"partition\" || ':' || from_offset || '-' || until_offset, "
                  "' ' ORDER BY \"partition\") FROM semel_commits WHERE kind = 'lost'") ==
        "0:100-0 1:100-0");
  // And goes on with it.
  rig.produce(200);
  REQUIRE(rig.grows(rig.produced() - 1));
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(30s));
  expect_each_id_once(rig);
}

// Spark's KafkaMicroBatchSourceSuite, "adding new partitions"; Flink's KafkaEnumeratorTest.
TEST_CASE("partitions added under load are read from their first record, though start is latest") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  auto often = discover_often;
  often.insert(often.end(), {"--set", "source.kafka.start=latest"});
  auto semel = rig.start("run", often);
  REQUIRE(eventually([&] { return rig.finish("status").code == 0; }));
  REQUIRE(eventually([&] { return rig.number("SELECT count(*) FROM semel_progress") == 2; }));
  {
    Load load(rig);
    REQUIRE(rig.grows(500));
    KafkaServer::shared().add_partitions(rig.topic(), 6);
  }
  rig.spread_over(6);
  {
    Load load(rig);
    REQUIRE(rig.grows(rig.rows() + 500));
    REQUIRE(eventually([&] { return rig.number("SELECT count(DISTINCT p) FROM events") == 6; }));
  }
  finish_well(rig, semel);
  CHECK(rig.number("SELECT count(*) FROM events WHERE p >= 2 AND o = 0") == 4);
}

// Spark's KafkaMicroBatchSourceSuite, "new partitions at startup"; "Partition count differs on
// replay": a plan that was made for two partitions is repeated beside four new ones.
TEST_CASE("a plan is repeated after a kill though there are more partitions now") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(50'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(1'000));
  semel.kill();
  REQUIRE(rig.rows() < rig.produced());
  const auto behind = rig.number("SELECT count(*) FROM semel_progress");
  CHECK(behind == 2);
  KafkaServer::shared().add_partitions(rig.topic(), 6);
  rig.spread_over(6);
  rig.produce(1'000);
  semel = rig.start();
  finish_well(rig, semel);
}
