// The table changes under a running pipeline.
#include <fmt/format.h>
#include <csignal>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("changes of the table under load that lose no value are followed without a restart") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  rig.sql("ALTER TABLE events ALTER id TYPE int, ADD leaving text");
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  for (const auto* change : {
           "ALTER TABLE events ALTER id TYPE bigint",
           "ALTER TABLE events ALTER id TYPE int",
           "ALTER TABLE events ALTER id TYPE numeric",
           "ALTER TABLE events ALTER id TYPE bigint",
           "ALTER TABLE events ALTER amount TYPE real",
           "ALTER TABLE events ALTER name TYPE varchar(10)",
           "ALTER TABLE events ALTER p TYPE bigint, ALTER o TYPE numeric(20, 0)",
           "ALTER TABLE events ALTER amount TYPE numeric(12, 2)",
           "ALTER TABLE events ALTER amount TYPE text",
           "ALTER TABLE events ALTER amount TYPE double precision USING amount::float8",
           "ALTER TABLE events DROP leaving",
           "ALTER TABLE events ADD stable timestamptz NOT NULL DEFAULT now()",
           "ALTER TABLE events ADD fixed int NOT NULL DEFAULT 7",
           "ALTER TABLE events ADD counted bigint DEFAULT 1, ALTER fixed DROP NOT NULL",
           "ALTER TABLE events ALTER fixed SET DEFAULT 8",
           "ALTER TABLE events ALTER id SET NOT NULL",
           "ALTER TABLE events ALTER p TYPE int, ALTER o TYPE bigint, ALTER name TYPE text",
           "CREATE INDEX ON events (name)",
           "CREATE UNIQUE INDEX ON events (id)",
           "CREATE INDEX CONCURRENTLY ON events (p)",
           "VACUUM FULL events",
           "BEGIN; ALTER TABLE events RENAME TO away; ALTER TABLE away RENAME TO events; COMMIT",
       }) {
    INFO(change);
    // A deadlock with semel's own transactions may hit this side.
    Psql administrator(rig.dsn());
    REQUIRE(eventually([&] { return administrator.run(change); }));
    const bool grows = rig.grows(rig.rows());
    INFO(semel.err());
    REQUIRE(grows);
    REQUIRE(semel.running());
  }
  load.finish();
  finish_well(rig, semel);
  CHECK(rig.number("SELECT count(*) FROM events WHERE stable IS NULL OR fixed NOT IN (7, 8)") == 0);
  CHECK(rig.number("SELECT count(*) FROM events WHERE fixed = 8") > 0);
}

TEST_CASE("a table that is exchanged for another of its name is followed") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  const auto grows = [&] {
    const bool grown = rig.grows(0);
    INFO(semel.err());
    REQUIRE(grown);
  };
  for (int i = 0; i < 3; ++i) {
    grows();
    rig.sql(
        fmt::format("BEGIN; ALTER TABLE events RENAME TO old_{0}; CREATE TABLE events (LIKE "
                    "old_{0} INCLUDING INDEXES); COMMIT",
                    i));
  }
  grows();
  load.finish();
  // What went into the earlier ones belongs to it too.
  REQUIRE(eventually([&] {
    return rig.number(
               "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM old_0) + (SELECT "
               "count(*) FROM old_1) + (SELECT count(*) FROM old_2)") == rig.produced();
  }));
  rig.sql(
      "INSERT INTO events SELECT * FROM old_0 UNION ALL SELECT * FROM old_1 UNION ALL SELECT * "
      "FROM old_2");
  finish_well(rig, semel);
}

TEST_CASE("a table renamed while running ends the run by its name; renamed back, nothing is lost") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  rig.sql("ALTER TABLE events RENAME TO away");
  expect_end(semel, 4, {"\"events\"", "Create it"});
  load.finish();
  rig.sql("ALTER TABLE away RENAME TO events");
  expect_no_dead_letters(rig);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a new column that no record can fill stops the run instead of setting all aside") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(999));
  // Asleep, so that what it finds is a whole range: fewer than bad_share_min_records in a row would
  // be set aside.
  semel.signal(SIGSTOP);
  rig.sql(
      "BEGIN; ALTER TABLE events ADD must text NOT NULL DEFAULT 'x'; ALTER TABLE events ALTER must "
      "DROP DEFAULT; COMMIT");
  rig.produce(5'000);
  semel.signal(SIGCONT);
  expect_end(semel, 7, {"must", "23502", "cannot be stored", "events"});
  expect_no_dead_letters(rig);
  CHECK(rig.rows() == 1'000);
  rig.sql("ALTER TABLE events DROP must");
  rig.drain();
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("a column narrowed below what records hold stops the run or sets aside only those") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(999));
  // "name-999" still fits; the longer one is a bad record by itself.
  rig.sql("ALTER TABLE events ALTER name TYPE varchar(8)");
  rig.produce_value(R"({"id":-1,"name":"too long for it"})");
  REQUIRE(eventually([&] { return rig.number("SELECT count(*) FROM semel_dead_letters") == 1; }));
  CHECK(rig.value("SELECT sqlstate FROM semel_dead_letters") == "22001");
  rig.sql("DELETE FROM semel_dead_letters");
  rig.produce(1'000);
  finish_well(rig, semel);
}

TEST_CASE("an exclusive lock on the table is waited for") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  {
    Psql holder(rig.dsn());
    REQUIRE(holder.run("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE"));
    const std::string waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
        "datname = current_database() AND now() - query_start > interval '2s'";
    REQUIRE(eventually([&] { return rig.number(waiting) >= 1; }));
    REQUIRE(semel.running());
    REQUIRE(holder.run("COMMIT"));
  }
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
}
