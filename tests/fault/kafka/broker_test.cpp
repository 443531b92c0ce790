// A broker that dies, freezes, or comes back as another one.
#include <csignal>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

std::size_t how_often(const Process& semel, const std::string& text) {
  const auto said = semel.err();
  std::size_t count = 0;
  for (auto at = said.find(text); at != std::string::npos; at = said.find(text, at + 1)) ++count;
  return count;
}

std::size_t outages(const Process& semel) {
  return how_often(semel, "; trying again");
}

std::size_t ends(const Process& semel) {
  return how_often(semel, "again after an outage");
}

/// The program has noticed one more outage.
bool notices(Process& semel, std::size_t before) {
  return eventually([&] { return outages(semel) > before || !semel.running(); }) && semel.running();
}

std::string cluster_of(const Rig& rig) {
  return rig.value("SELECT cluster_id FROM semel_owners");
}

}  // namespace

TEST_CASE("a broker killed again and again under load needs no restart of semel") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  auto& kafka = KafkaServer::shared();
  Load load(rig);
  auto semel = rig.start();
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(rig.grows(rig.rows() + 500));
    const auto before = outages(semel);
    kafka.kill();
    REQUIRE(notices(semel, before));
    kafka.start();
    // Each outage is told, and so is each end.
    REQUIRE(eventually([&] { return ends(semel) > i; }));
  }
  REQUIRE(rig.grows(rig.rows() + 500));
  load.finish();
  CHECK(rig.number("SELECT epoch FROM semel_owners") == 1);
  finish_well(rig, semel);
}

TEST_CASE("a broker that freezes under load is waited for") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  auto& kafka = KafkaServer::shared();
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(1'000));
  const auto before = outages(semel);
  kafka.freeze();
  const bool noticed = notices(semel, before);
  kafka.thaw();
  INFO(semel.err());
  REQUIRE(noticed);
  REQUIRE(rig.grows(rig.rows() + 500));
  load.finish();
  CHECK(rig.number("SELECT epoch FROM semel_owners") == 1);
  finish_well(rig, semel);
}

TEST_CASE("another cluster behind the same address is refused by name, and nothing is written") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  const auto topic = unique_name("events");
  kafka.create_topic(topic, 1);
  Rig rig(1, RigServers{.brokers = kafka.bootstrap_servers(), .topic = topic, .dsn = {}});
  rig.configure(std::string(quick));
  rig.produce(100);
  const auto become_another = [&] {
    kafka.start_afresh();
    kafka.create_topic(topic, 1);
    rig.produce(300);  // past the position, so that the offset alone tells nothing
  };

  SECTION("at the start") {
    rig.drain();
    const auto known = cluster_of(rig);
    const auto commits = rig.number("SELECT count(*) FROM semel_commits");
    kafka.kill();
    become_another();
    const auto refused = rig.finish("run", {"--once", "--set", "on_data_loss=skip"});
    INFO(refused.err);
    CHECK(refused.code == 6);
    CHECK_THAT(refused.err, Catch::Contains("belongs to Kafka cluster " + known + ","));
    CHECK_THAT(refused.err, Catch::Contains("answers as cluster "));
    CHECK_THAT(refused.err, !Catch::Contains("answers as cluster " + known));
    CHECK(rig.number("SELECT count(*) FROM semel_commits") == commits);
    CHECK(cluster_of(rig) == known);
  }
  SECTION("under a running pipeline") {
    auto semel = rig.start();
    REQUIRE(rig.grows(99));
    kafka.kill();
    REQUIRE(notices(semel, 0));
    become_another();
    expect_end(semel, 6, {"answers as cluster "});
  }
  CHECK(rig.rows() == 100);
}
