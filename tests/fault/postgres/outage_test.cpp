// PostgreSQL goes away, refuses sessions or ends them while a pipeline is under load.
#include <csignal>
#include <memory>
#include <pqxx/pqxx>
#include <random>
#include <stdexcept>
#include <vector>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("PostgreSQL restarted again and again under load needs no restart of semel") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  auto& postgres = PostgresServer::shared();
  Load load(rig);
  auto semel = rig.start();
  for (int i = 0; i < 2; ++i) {
    REQUIRE(rig.grows(rig.rows()));
    postgres.stop();  // fast: 57P01 to every session
    REQUIRE(semel.running());
    postgres.start();
    REQUIRE(rig.grows(rig.rows()));
    postgres.kill();  // no farewell, and crash recovery
    postgres.start();
  }
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  // When the last of the partitions is back.
  CHECK(says(semel, "committed again after an outage"));
  finish_well(rig, semel);
}

TEST_CASE("a smart shutdown lets the living sessions go on, and the end of it is waited out") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  auto& postgres = PostgresServer::shared();
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  // The only way to look while nobody new is let in.
  pqxx::connection inside(rig.dsn());
  const auto inside_rows = [&] {
    pqxx::nontransaction look(inside);
    return look.exec1("SELECT count(*) FROM events")[0].as<std::int64_t>();
  };
  const auto server = std::stoi(rig.value("SELECT pg_read_file('postmaster.pid')"));
  REQUIRE(kill(server, SIGTERM) == 0);
  REQUIRE(eventually([&] {
    try {
      Psql late(rig.dsn());
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  const auto before = inside_rows();
  CHECK(eventually([&] { return inside_rows() > before; }));
  postgres.stop();
  REQUIRE(semel.running());
  postgres.start();
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
}

TEST_CASE("a server that has no connections left is waited for, at the start and while running") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  rig.drain();
  // One session to act with; the others take every place, and every place that becomes free.
  Psql administrator(rig.dsn());
  std::vector<std::unique_ptr<Psql>> greedy;
  const auto take_all = [&] {
    try {
      while (true) greedy.push_back(std::make_unique<Psql>(rig.dsn()));
    } catch (const std::runtime_error&) {
    }
  };
  const auto starves = [&](Process& semel, const std::string& text) {
    eventually([&] {
      take_all();
      return says(semel, text, 0ms) || !semel.running();
    });
    return says(semel, text, 0ms);
  };
  rig.produce(1'000);
  take_all();
  auto semel = rig.start("run", every_failure);
  CHECK(starves(semel, "too many clients"));
  greedy.clear();
  REQUIRE(rig.grows(1'999));

  rig.produce(5'000);
  REQUIRE(rig.grows(2'000));
  // Far more tries than retry.max_failures: an outage is not a range that fails. One place that
  // semel gets is enough for it, so it is ended wherever it got one.
  CHECK(eventually([&] {
    administrator.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "application_name LIKE 'semel/%' AND datname = current_database()");
    take_all();
    rig.produce(100);
    return says(semel, "(failure 16)", 100ms) || !semel.running();
  }));
  CHECK(says(semel, "(failure 16)", 0ms));
  REQUIRE(semel.running());
  greedy.clear();
  finish_well(rig, semel);
}

TEST_CASE("thirty backends ended at random under load cost nothing but the work done again") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  std::mt19937 random(20261121);
  int ended = 0;
  const bool all = eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    ended += std::stoi(
        rig.value("SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                  "WHERE datname = current_database() AND application_name LIKE 'semel/%' "
                  "ORDER BY random() LIMIT 1) one"));
    return ended >= 30;
  });
  CHECK(all);
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
}
