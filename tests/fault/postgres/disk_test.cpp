// A disk that is full: never a record's fault, and waited for.
#include <sys/stat.h>
#include <cstdlib>
#include <stdexcept>

#include "fault/faults.hpp"
#include "fault/small_disk.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("a full tablespace is waited for, and no record is set aside") {
  if (!kafka_available()) return;
  const SmallDisk probe(1);
  if (skip(probe)) return;
  SmallDisk disk(6);
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(100);
  rig.drain();
  struct stat owner {};
  REQUIRE(stat(rig.value("SHOW data_directory").c_str(), &owner) == 0);
  REQUIRE(chown(disk.path().c_str(), owner.st_uid, owner.st_gid) == 0);
  const auto space = unique_name("small");
  rig.sql("CREATE TABLESPACE " + space + " LOCATION '" + disk.path() + "'");
  rig.sql("ALTER TABLE events SET TABLESPACE " + space);

  Load load(rig);
  auto semel = rig.start("run", every_failure);
  REQUIRE(rig.grows(100));
  disk.fill();
  REQUIRE(says(semel, "53100"));
  // Many more times than a range may fail.
  REQUIRE(says(semel, "(failure 16)"));
  REQUIRE(semel.running());
  expect_no_dead_letters(rig);
  disk.make_room();
  disk.grow(300);
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
  rig.sql("ALTER TABLE events SET TABLESPACE pg_default");
  rig.sql("DROP TABLESPACE " + space);
}

TEST_CASE("a server that panics because its log cannot grow is waited for") {
  if (!kafka_available()) return;
  SmallDisk disk(400);
  if (skip(disk)) return;
  // Where the server is made.
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", disk.path().c_str(), 1);
  PostgresServer server;
  before == nullptr ? unsetenv("TMPDIR") : setenv("TMPDIR", kept.c_str(), 1);

  Rig rig(2, RigServers{.brokers = {}, .topic = {}, .dsn = server.create_database()});
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start("run", every_failure);
  REQUIRE(rig.grows(0));
  disk.fill();
  // The log's next segment; or the table before it, which is the disk's end as well.
  try {
    rig.sql(
        "SELECT pg_switch_wal(); SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000)), "
        "pg_switch_wal() FROM generate_series(1, 20)");
  } catch (const std::runtime_error&) {
    // That was the panic.
  }
  REQUIRE(eventually([&] {
    try {
      Psql late(rig.dsn());
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  REQUIRE(says(semel, "(failure 8)"));
  REQUIRE(semel.running());
  disk.make_room();
  server.stop();
  server.start();
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
}
