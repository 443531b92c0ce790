// Topic to topic under faults, on a real broker, read by kcat.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>

#include "base/crash_point.hpp"
#include "fault/kafka_sink/copy_rig.hpp"
#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// In the gate few; SEMEL_KILL_CYCLES says how many otherwise.
int cycles(int in_the_gate) {
  const auto* wanted = std::getenv("SEMEL_KILL_CYCLES");
  return wanted == nullptr ? in_the_gate : std::stoi(wanted);
}

bool servers_available() {
  return kafka_available() && kcat_available();
}

void stop_well(Process& semel) {
  INFO(semel.err());
  CHECK(semel.running());
  semel.signal(SIGTERM);
  const auto ended = semel.wait(30s);
  INFO(semel.err());
  REQUIRE(ended);
  CHECK(ended->code == 0);
}

}  // namespace

TEST_CASE("topic to topic: kills under load lose nothing, double nothing, and keep the order") {
  if (!servers_available()) return;
  CopyRig rig;
  rig.produce(2'000);
  rig.drain();
  CopyLoad load(rig);
  std::mt19937 random(20261126);
  const int wanted = cycles(6);
  std::vector<double> restarts_ms;
  for (int kills = 0; kills < wanted; ++kills) {
    const auto before = rig.ends();
    const auto began = std::chrono::steady_clock::now();
    auto semel = rig.start();
    // Half of them while it starts, half of them while it works.
    if (random() % 2 == 0) {
      REQUIRE(rig.grows(before));
      restarts_ms.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began)
              .count());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 400'000));
    INFO(semel.err());
    CHECK(semel.running());
    semel.kill();
  }
  load.finish();
  rig.drain();
  rig.expect_exactly_once();
  std::ranges::sort(restarts_ms);
  fmt::print(
      "topic to topic: {} kills, {} records; restart to first records seen: median {:.0f} ms\n",
      wanted, rig.produced(), restarts_ms.empty() ? 0.0 : restarts_ms[restarts_ms.size() / 2]);
}

TEST_CASE(
    "topic to topic: a crash at any numbered point, and another in the recovery, changes nothing") {
  if (!servers_available()) return;
  REQUIRE(semel::has_crash_points);
  CopyRig rig(2);
  rig.produce(500);
  int kills = 0;
  for (const auto point : semel::crash_point_names) {
    CAPTURE(point);
    rig.produce(100);
    // In the gate one of the two for each place.
    for (const int time : cycles(0) > 0 ? std::vector{2, 1} : std::vector{1 + kills % 2}) {
      rig.environment({{"SEMEL_CRASH_AT", fmt::format("{}:{}", point, time)}});
      kills += rig.finish("run", {"--once"}).signal == SIGKILL ? 1 : 0;
    }
    rig.environment({});
  }
  CHECK(kills >= 8);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("topic to topic: a process that was stopped and wakes up as a zombie writes nothing") {
  if (!servers_available()) return;
  CopyRig rig;
  rig.produce(2'000);
  CopyLoad load(rig);
  const int wanted = cycles(2);
  for (int i = 0; i < wanted; ++i) {
    auto old = rig.start("a");
    const auto before = rig.ends();
    REQUIRE(rig.grows(before));
    old.signal(SIGSTOP);
    auto heir = rig.start("b");
    const auto left = rig.ends();
    REQUIRE(rig.grows(left));
    old.signal(SIGCONT);
    const auto ended = old.wait(30s);
    INFO(old.err());
    REQUIRE(ended);
    CHECK(ended->code == 5);  // another owner has taken over
    // Whom the zombie has disturbed goes on.
    const auto now = rig.ends();
    REQUIRE(rig.grows(now));
    stop_well(heir);
  }
  load.finish();
  rig.drain();
  rig.expect_exactly_once();
}

// Its transaction has the ledger in it, and is open: until it is over, nobody sees what comes
// behind.
TEST_CASE("topic to topic: a process that ends in the middle of a commit holds nobody up") {
  if (!servers_available()) return;
  REQUIRE(semel::has_crash_points);
  CopyRig rig;
  rig.configure("", "10m");  // longer than anybody waits here
  for (int i = 0; i < 2; ++i) {
    rig.produce(4'000);
    rig.environment({{"SEMEL_CRASH_AT", "sent_final_message:2"}});
    CHECK(rig.finish("run", {"--once"}).signal == SIGKILL);
    rig.environment({});
    auto heir = rig.start("b");
    REQUIRE(rig.all_there());
    stop_well(heir);
  }
  rig.expect_exactly_once();
}

TEST_CASE("topic to topic: replies that are lost, and brokers that fall silent, do no harm") {
  if (!servers_available()) return;
  CopyRig rig;
  HostileKafka proxy(KafkaServer::shared().port());
  rig.through_brokers(proxy.address());
  rig.configure();
  rig.produce(2'000);
  CopyLoad load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  std::mt19937 random(20261126);
  const int wanted = cycles(15);
  for (int i = 0; i < wanted; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    if (i % 8 == 7) {
      proxy.stop();
      std::this_thread::sleep_for(500ms);
      proxy.resume();
    }
    proxy.cut();
  }
  const auto before = rig.ends();
  REQUIRE(rig.grows(before));
  load.finish();
  REQUIRE(rig.all_there());
  stop_well(semel);
  rig.expect_exactly_once();
  CHECK(proxy.not_understood() == 0);
}

TEST_CASE("topic to topic: a broker that dies under transactions, and comes back") {
  if (!servers_available()) return;
  CopyRig rig;
  rig.produce(2'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  auto& kafka = KafkaServer::shared();
  for (int i = 0; i < 2; ++i) {
    rig.produce(3'000);
    i == 0 ? kafka.kill() : kafka.stop();
    kafka.start();
    const auto before = rig.ends();
    rig.produce(500);
    REQUIRE(rig.grows(before));
  }
  REQUIRE(rig.all_there());
  stop_well(semel);
  rig.expect_exactly_once();
}
