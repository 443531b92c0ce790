// Errors that another try mends: deadlocks, serialization failures, resources. None of them is a
// bad record (P9).
#include <fmt/format.h>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// From now on the next `times` statements that write rows fail with that SQLSTATE.
void fail_next(const Rig& rig, const std::string& sqlstate, int times) {
  rig.sql(fmt::format(
      "SET client_min_messages = warning; DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;"
      "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
      "IF nextval('tries') <= {} THEN RAISE 'made by the test' USING ERRCODE = '{}'; END IF; "
      "RETURN NULL; END$$;"
      "CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON events FOR EACH STATEMENT "
      "EXECUTE FUNCTION fail()",
      times, sqlstate));
}

}  // namespace

TEST_CASE("errors of the moment are retried, and are never a record's fault") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  for (const auto* sqlstate :
       {"40001", "40P01", "40003", "53000", "53100", "53200", "53300", "55P03", "55006", "57014",
        "57P03", "58000", "58030", "XX000", "08006", "25006"}) {
    INFO(sqlstate);
    rig.produce(1'000);
    fail_next(rig, sqlstate, 4);
    rig.drain();
    CHECK(rig.number("SELECT last_value FROM tries") > 4);
    CHECK(rig.rows() == rig.produced());
  }
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("an error of the moment that stays ends the run with its name, and loses nothing") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  fail_next(rig, "40001", 1'000'000);
  auto semel = rig.start();
  // What the function says may hold values: it is named, not quoted.
  expect_end(semel, 4, {"40001", "function fail()", "retry.max_failures", rig.topic() + "[0]"});
  expect_no_dead_letters(rig);
  rig.sql("DROP TRIGGER fail ON events");
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a resource that is exhausted for long is waited for, without limit") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  const std::string sqlstate = GENERATE("53100", "53300");
  fail_next(rig, sqlstate, 1'000'000);
  auto semel = rig.start("run", every_failure);
  REQUIRE(says(semel, "(failure 16)"));
  CHECK(says(semel, sqlstate, 0s));
  REQUIRE(semel.running());
  rig.sql("DROP TRIGGER fail ON events");
  finish_well(rig, semel);
}

TEST_CASE("real deadlocks with another session under load are retried") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  rig.drain();
  // A session looks for deadlocks once, that long after it began to wait. The program's do so soon,
  // but later than the other one waits; the other one never: the program is the victim.
  rig.sql(
      "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''100ms''', "
      "current_database()); END$$");
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(1'000));
  Psql other(rig.dsn());
  REQUIRE(other.run("SET deadlock_timeout = '1h'; SET lock_timeout = '5s'"));
  const auto deadlocks = [&] {
    return rig.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
  };
  CHECK(eventually([&] {
    // First the ledger's rows, then the table: semel locks them the other way round. One message,
    // so that nothing comes in between, however busy the machine is.
    const bool done = other.run(
        "BEGIN; SELECT * FROM semel_progress FOR UPDATE; LOCK TABLE events IN SHARE MODE; COMMIT");
    if (!done) other.run("ROLLBACK");
    return deadlocks() >= 3;
  }));
  load.finish();
  finish_well(rig, semel);
}
