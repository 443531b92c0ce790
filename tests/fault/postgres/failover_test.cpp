// The primary dies and a standby takes its place: with all that was committed, or without the last
// of it.
#include <csignal>

#include "fault/faults.hpp"
#include "fault/postgres/replicated_postgres.hpp"
#include "support/catch.hpp"

using namespace semel::test;
using namespace std::chrono_literals;
using Replication = ReplicatedPostgres::Replication;

namespace {

std::string name_of(const std::string& dsn) {
  const auto at = dsn.find("dbname=") + 7;
  return dsn.substr(at, dsn.find(' ', at) - at);
}

std::int64_t rows_at(const std::string& dsn) {
  return std::stoll(PostgresServer::value(dsn, "SELECT count(*) FROM events"));
}

/// A standby that lags does not know the database at first, nor its table.
bool has_rows(const std::string& standby) try {
  return rows_at(standby) > 0;
} catch (const std::exception&) {
  return false;
}

}  // namespace

TEST_CASE("a failover to a synchronous standby under load loses nothing and needs no restart") {
  if (!kafka_available()) return;
  ReplicatedPostgres servers(Replication::synchronous);
  Rig rig(4, RigServers{.brokers = {}, .topic = {}, .dsn = servers.create_database()});
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(2'000));
  const auto before = rig.rows();
  servers.kill_primary();
  REQUIRE(says(semel, "trying again"));
  REQUIRE(semel.running());
  servers.promote();
  CHECK(rig.rows() >= before);
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  CHECK_FALSE(says(semel, "went back", 0ms));
  CHECK(rig.number("SELECT epoch FROM semel_owners") == 1);
  finish_well(rig, semel);
}

TEST_CASE("a failover to a standby that lags takes rows and ledger back, and is replayed") {
  if (!kafka_available()) return;
  ReplicatedPostgres servers(Replication::asynchronous);
  Rig rig(4, RigServers{.brokers = {}, .topic = {}, .dsn = servers.create_database()});
  const auto standby = servers.standby(name_of(rig.dsn()));
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(2'000));
  REQUIRE(eventually([&] { return has_rows(standby); }));
  servers.part();
  const auto kept = rows_at(standby);
  SECTION("in the same epoch") {
    REQUIRE(rig.grows(rig.rows() + 2'000));
  }
  SECTION("and in the epochs of owners that the standby never saw") {
    semel.kill();
    for (int i = 0; i < 2; ++i) {
      semel = rig.start();
      REQUIRE(rig.grows(rig.rows() + 1'000));
      if (i == 0) semel.kill();
    }
    CHECK(rig.number("SELECT epoch FROM semel_owners") == 3);
  }
  const auto before = rig.rows();
  servers.kill_primary();
  CHECK(kept < before);
  CHECK(rows_at(standby) < before);  // the fault: what was committed is gone
  servers.promote();
  REQUIRE(says(semel, "went back"));
  REQUIRE(rig.grows(before));
  load.finish();
  finish_well(rig, semel);
}

TEST_CASE("rows that a failover takes from a pipeline that has caught up come back by themselves") {
  if (!kafka_available()) return;
  ReplicatedPostgres servers(Replication::asynchronous);
  Rig rig(2, RigServers{.brokers = {}, .topic = {}, .dsn = servers.create_database()});
  const auto standby = servers.standby(name_of(rig.dsn()));
  rig.configure(std::string(quick));
  rig.produce(1'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(999));
  REQUIRE(eventually([&] { return servers.caught_up(); }));
  servers.part();
  rig.produce(1'000);
  REQUIRE(rig.grows(1'999));
  servers.kill_primary();
  REQUIRE(rows_at(standby) == 1'000);
  servers.promote();
  // Nothing more is produced: no commit is there to be refused.
  CHECK(rig.grows(1'999, 30s));
  CHECK(says(semel, "went back", 0ms));
  finish_well(rig, semel);
}

TEST_CASE("an epoch that repeats after a failover does not make two owners") {
  if (!kafka_available()) return;
  ReplicatedPostgres servers(Replication::asynchronous);
  Rig rig(2, RigServers{.brokers = {}, .topic = {}, .dsn = servers.create_database()});
  rig.configure(std::string(quick));
  rig.produce(1'000);
  rig.drain();  // epoch 1
  REQUIRE(eventually([&] { return servers.caught_up(); }));
  servers.part();
  rig.produce(1'000);
  auto lost = rig.start();  // epoch 2, which the standby never sees
  REQUIRE(rig.grows(1'999));
  lost.signal(SIGSTOP);
  servers.kill_primary();
  servers.promote();
  auto heir = rig.start();  // epoch 2 once more
  REQUIRE(rig.grows(1'999));
  CHECK(rig.number("SELECT epoch FROM semel_owners") == 2);
  lost.signal(SIGCONT);
  rig.produce(1'000);
  expect_end(lost, 5, {"fenced", "pid " + std::to_string(heir.pid())});
  finish_well(rig, heir);
}

TEST_CASE("a standby is no place to write: a run waits until it is promoted") {
  if (!kafka_available()) return;
  ReplicatedPostgres servers(Replication::synchronous);
  Rig rig(2, RigServers{.brokers = {}, .topic = {}, .dsn = servers.create_database()});
  const auto standby = servers.standby(name_of(rig.dsn()));
  rig.produce(1'000);
  rig.configure(std::string(quick));
  rig.drain();
  rig.produce(1'000);
  rig.through_dsn(standby);  // it alone
  rig.configure(std::string(quick));
  auto semel = rig.start();
  REQUIRE(says(semel, "trying again"));
  REQUIRE(semel.running());
  servers.kill_primary();
  servers.promote();
  REQUIRE(rig.grows(1'999));
  finish_well(rig, semel);
}
