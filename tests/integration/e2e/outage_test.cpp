// Servers that go away and come back, and orderly stops.
#include <csignal>

#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

bool has_rows(const Rig& rig, std::int64_t count) {
  return eventually([&] { return rig.rows() == count; }, 60s);
}

}  // namespace

TEST_CASE("a database that stops and starts while running needs no restart") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[retry]\nbackoff_max = \"500ms\"\n");
  rig.produce(100);
  auto semel = rig.start();
  REQUIRE(has_rows(rig, 100));
  auto& postgres = PostgresServer::shared();
  SECTION("in good order") {
    postgres.stop();
  }
  SECTION("killed") {
    postgres.kill();
  }
  rig.produce(1'000);
  postgres.start();
  CHECK(has_rows(rig, 1'100));
  REQUIRE(semel.running());
  stop(semel);
  rig.expect_exactly_once();
}

TEST_CASE("a broker that stops and starts while running needs no restart") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(100);
  auto semel = rig.start();
  REQUIRE(has_rows(rig, 100));
  auto& kafka = KafkaServer::shared();
  SECTION("in good order") {
    kafka.stop();
  }
  SECTION("killed") {
    kafka.kill();
  }
  std::this_thread::sleep_for(1s);
  kafka.start();
  rig.produce(1'000);
  CHECK(has_rows(rig, 1'100));
  INFO(semel.err());
  REQUIRE(semel.running());
  stop(semel);
  rig.expect_exactly_once();
}

TEST_CASE("SIGTERM finishes what runs, commits it and exits 0") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 2000\n");
  rig.produce(200'000);
  auto semel = rig.start();
  REQUIRE(eventually([&] { return rig.rows() > 0; }));
  stop(semel);
  const auto stopped_at = rig.rows();
  CHECK(stopped_at > 0);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a second signal ends the process at once, and nothing is lost by it") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(200'000);
  auto semel = rig.start();
  REQUIRE(eventually([&] { return rig.rows() > 0; }));
  PostgresServer::shared();
  // Frozen, so that both signals are there when it looks.
  semel.signal(SIGSTOP);
  semel.signal(SIGTERM);
  semel.signal(SIGINT);
  semel.signal(SIGCONT);
  const auto ended = semel.wait(10s);
  REQUIRE(ended);
  CHECK((ended->code == 130 || ended->code == 0));
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("an idle pipeline stops at once and tells Kafka's lag tools where it is") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(50);
  rig.drain();
  CHECK(rig.group_offset(0) == 50);
}
