// Leaders that move from broker to broker under load.
#include <algorithm>
#include <csignal>

#include "fault/faults.hpp"
#include "fault/kafka/kafka_cluster.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr int partitions = 6;

/// Takes a broker away and gives it back, and waits until its leaders have moved, the pipeline has
/// gone on, and the leaders are back where they belong.
template <class TakeAway>
void bounce(KafkaCluster& cluster, Rig& rig, Process& semel, int node, TakeAway take_away) {
  const auto at_home = cluster.leaders(rig.topic());
  REQUIRE(std::ranges::count(at_home, node) > 0);
  take_away();
  REQUIRE(eventually([&] {
    const auto leaders = cluster.leaders(rig.topic());
    return leaders.size() == partitions && std::ranges::count(leaders, 0) == 0 &&
           std::ranges::count(leaders, node) == 0;
  }));
  REQUIRE(rig.grows(rig.rows() + 500));
  cluster.start(node);
  // Preferred leader election.
  REQUIRE(eventually(
      [&] { return cluster.in_sync(rig.topic()) && cluster.leaders(rig.topic()) == at_home; }));
  REQUIRE(rig.grows(rig.rows() + 500));
  INFO(semel.err());
  REQUIRE(semel.running());
}

}  // namespace

// Kafka's EosIntegrationTest and TransactionsBounceTest, testWithGroupId: rolling bounces.
TEST_CASE(
    "every leader moves when brokers go away in turn, and comes back, under a running pipeline") {
  if (!kafka_available()) return;
  KafkaCluster cluster;
  Rig rig(partitions, RigServers{.brokers = cluster.bootstrap_servers(),
                                 .topic = cluster.create_topic(partitions),
                                 .dsn = {}});
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(1'000));
  bounce(cluster, rig, semel, 1, [&] { cluster.kill(1); });
  bounce(cluster, rig, semel, 2, [&] { cluster.stop(2); });  // hands its leaders over
  bounce(cluster, rig, semel, 3, [&] { cluster.kill(3); });
  load.finish();
  CHECK(rig.number("SELECT epoch FROM semel_owners") == 1);
  CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE kind NOT IN ('commit', 'start')") ==
        0);
  finish_well(rig, semel);
}
