// The main promise on real servers: whatever is killed, nothing is lost and nothing is there twice.
#include <csignal>
#include <random>
#include <thread>

#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/range_watcher.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE(
    "twenty kills under load lose nothing, double nothing, and no reader sees part of a range") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure("[batch]\nmax_records_per_partition = 1000\n");
  rig.sql("CREATE INDEX ON events (p, o)");  // for the reader
  rig.produce(1'000);
  rig.drain();  // makes the ledger tables that the reader looks at
  RangeWatcher reader(rig.dsn());

  std::mt19937 random(20261121);
  int kills = 0;
  std::thread load([&] {
    // Records keep coming while processes die.
    for (int i = 0; i < 40; ++i) rig.produce(5'000);
  });
  while (kills < 20) {
    auto semel = rig.start();
    const auto before = rig.rows();
    rig.grows(before, 5s);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
    REQUIRE(semel.running());
    semel.kill();
    ++kills;
  }
  load.join();
  rig.drain();
  reader.finish();
  CHECK(reader.offence().empty());
  CHECK(reader.looks() > 0);
  rig.expect_exactly_once();
}

TEST_CASE("the reader that looks for parts of ranges finds one") {
  const auto dsn = PostgresServer::shared().create_database();
  PostgresServer::execute(
      dsn,
      "CREATE TABLE events (p int, o bigint); CREATE TABLE semel_commits (partition int, "
      "from_offset bigint, until_offset bigint, rows bigint, batch_time bigint); "
      "INSERT INTO semel_commits VALUES (0, 0, 2, 2, 1), (0, 2, 4, 2, 2); "
      "INSERT INTO events VALUES (0, 0), (0, 1), (0, 2), (0, 3)");
  RangeWatcher of_whole(dsn);
  REQUIRE(eventually([&] { return of_whole.looks() > 1; }));
  of_whole.finish();
  CHECK(of_whole.offence().empty());
  PostgresServer::execute(dsn, "DELETE FROM events WHERE o = 3");
  RangeWatcher of_part(dsn);
  of_part.finish();
  CHECK(of_part.offence() == "a range is there in part: partition 0 from 2");
}

TEST_CASE(
    "a second instance takes over and goes on; the first stops, saying by whom it was fenced") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(100);
  auto first = rig.start();
  REQUIRE(rig.grows(99));
  auto second = rig.start();
  const auto ended = first.wait(20s);
  REQUIRE(ended);
  INFO(first.err());
  CHECK(ended->code == 5);
  CHECK_THAT(first.err(),
             Catch::Contains("fenced") && Catch::Contains("pid " + std::to_string(second.pid())));
  rig.produce(100);
  CHECK(rig.grows(199));
  second.signal(SIGTERM);
  REQUIRE(second.wait(20s));
  rig.expect_exactly_once();
}

TEST_CASE("a frozen owner cannot hold the new one up, and adds nothing when it wakes up") {
  if (!kafka_available()) return;
  Rig rig(2);
  // A unique key: the frozen owner's uncommitted rows would block the new owner's same rows for
  // ever.
  rig.sql("CREATE UNIQUE INDEX ON events (id)");
  rig.configure("[batch]\nmax_records_per_partition = 20000\n");
  rig.produce(200'000);
  auto frozen = rig.start();
  REQUIRE(rig.grows(0));
  frozen.signal(SIGSTOP);
  const auto at_freeze = rig.rows();
  auto heir = rig.start();
  CHECK(rig.grows(at_freeze, 5s));
  REQUIRE(rig.grows(199'999, 60s));
  frozen.signal(SIGCONT);
  const auto ended = frozen.wait(30s);
  REQUIRE(ended);
  INFO(frozen.err());
  CHECK(ended->code == 5);
  heir.signal(SIGTERM);
  const auto heir_ended = heir.wait(20s);
  REQUIRE(heir_ended);
  CHECK(heir_ended->code == 0);
  rig.expect_exactly_once();
}

TEST_CASE("a lost state directory loses and doubles nothing") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 500\n");
  rig.produce(100'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  semel.kill();
  std::filesystem::remove_all(rig.state_dir());
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a state directory that is kept while the database was reset loses and doubles nothing") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 500\n");
  rig.produce(100'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  semel.kill();
  rig.sql(
      "TRUNCATE events; DROP TABLE semel_owners, semel_progress, semel_commits, "
      "semel_dead_letters");
  rig.drain();
  rig.expect_exactly_once();
}
