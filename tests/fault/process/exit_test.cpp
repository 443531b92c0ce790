// The end of the program while a server stands still: it comes soon, whatever was waited for, and
// what was not committed is read again. SIGSTOP to all of a server's processes is the worst kind of
// silence: the kernel takes new connections and data, and nothing answers.
#include <csignal>
#include <functional>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/tcp_proxy.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

// More than is allowed, and less than most waits that the servers' silence would take.
constexpr auto soon = 15s;

/// Whatever happens to the test, the servers go on.
struct Thaw {
  ~Thaw() {
    PostgresServer::shared().thaw();
    KafkaServer::shared().thaw();
  }
};

void expect_soon(Process& semel, int code) {
  const auto ended = semel.wait(soon);
  INFO(semel.err());
  REQUIRE(ended);
  CHECK(ended->code == code);
}

}  // namespace

TEST_CASE("a stop does not wait for whoever holds a lock of the table") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(999));
  Psql other(rig.dsn());
  REQUIRE(other.run("BEGIN"));
  REQUIRE(other.run("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"));
  rig.produce(1'000);
  const auto waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  REQUIRE(eventually([&] { return rig.number(waiting) > 0; }));
  semel.signal(SIGTERM);
  expect_soon(semel, 0);
  CHECK_THAT(semel.err(), Catch::Contains("is not waited for"));
  // Its sessions are gone with it: none holds on to what it waited for.
  CHECK(eventually([&] { return rig.number(waiting) == 0; }));
  REQUIRE(other.run("COMMIT"));
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a stop ends soon wherever PostgreSQL or Kafka stands still") {
  if (!kafka_available()) return;
  Rig rig(2);
  TcpProxy proxy(PostgresServer::shared().port());
  rig.through_dsn(at_port(rig.dsn(), proxy.port()));
  rig.configure(std::string(quick));
  rig.produce(1'000);
  {
    const Thaw thaw;
    SECTION("PostgreSQL, before it is connected to") {
      PostgresServer::shared().freeze();
      auto semel = rig.start();
      REQUIRE(says(semel, "pipeline"));
      semel.signal(SIGTERM);
      expect_soon(semel, 0);
    }
    SECTION("Kafka, before it is asked") {
      KafkaServer::shared().freeze();
      auto semel = rig.start();
      REQUIRE(says(semel, "pipeline"));
      semel.signal(SIGTERM);
      expect_soon(semel, 0);
    }
    SECTION("both, while nothing is to be done") {
      auto semel = rig.start();
      REQUIRE(rig.grows(999));
      PostgresServer::shared().freeze();
      KafkaServer::shared().freeze();
      semel.signal(SIGTERM);
      expect_soon(semel, 0);
    }
    SECTION("PostgreSQL, at a commit") {
      proxy.lose(TcpProxy::Loss::hold_answer, final_message);
      auto semel = rig.start();
      REQUIRE(eventually([&] { return proxy.lost(); }));
      PostgresServer::shared().freeze();
      semel.signal(SIGTERM);
      expect_soon(semel, 0);
    }
    SECTION("PostgreSQL, under rows; then Kafka as well") {
      proxy.lose(TcpProxy::Loss::hold, copy_data);
      auto semel = rig.start();
      REQUIRE(eventually([&] { return proxy.lost(); }));
      PostgresServer::shared().freeze();
      KafkaServer::shared().freeze();
      semel.signal(SIGTERM);
      expect_soon(semel, 0);
    }
  }
  proxy.release();
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("an error is told and ends the program though PostgreSQL stands still") {
  if (!kafka_available()) return;
  // One partition's range is under way, the other's brings the error.
  Rig rig(2);
  TcpProxy proxy(PostgresServer::shared().port());
  rig.through_dsn(at_port(rig.dsn(), proxy.port()));
  rig.configure(quick_by_range());
  rig.produce(1'000);
  proxy.lose(TcpProxy::Loss::hold, copy_data);
  auto semel = rig.start();
  REQUIRE(eventually([&] { return proxy.lost() && rig.rows() > 0; }));
  // Another owner: found by the session that still gets through.
  rig.sql("UPDATE semel_owners SET epoch = epoch + 1, owner = 'somebody else'");
  rig.produce(1'000);
  const Thaw thaw;
  expect_soon(semel, 5);
  CHECK_THAT(semel.err(), Catch::Contains("fenced"));
}

TEST_CASE("SIGHUP does not end a service") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(100);
  // Without a terminal, as a service manager starts it.
  Process semel({.argv = {SEMEL_BINARY, "run", rig.config()}, .own_session = true});
  REQUIRE(rig.grows(99));
  semel.signal(SIGHUP);
  REQUIRE(says(semel, "SIGHUP changes nothing"));
  rig.produce(100);
  finish_well(rig, semel);
}
