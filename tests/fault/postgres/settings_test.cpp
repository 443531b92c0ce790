// Defaults that an administrator gives a database or a role, and what they do to a pipeline.
#include <fmt/format.h>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

void set_default(const Rig& rig, const std::string& setting) {
  rig.sql("DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET " + setting +
          "', current_database()); END$$");
}

void reset_defaults(const Rig& rig) {
  // In a session that does not obey them.
  Psql session(rig.dsn());
  REQUIRE(session.run("SET default_transaction_read_only = off"));
  REQUIRE(session.run(
      "DO $$BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END$$"));
}

// Single quotes doubled: they stand inside a string.
const std::vector<std::string> harmless{
    "default_transaction_isolation = ''serializable''",
    "default_transaction_isolation = ''repeatable read''",
    "default_transaction_read_only = on",
    "idle_in_transaction_session_timeout = ''2s''",
    "idle_session_timeout = ''100ms''",
    "statement_timeout = ''10s''",
    "lock_timeout = ''1s''",
    "synchronous_commit = off",
    "standard_conforming_strings = off",
    "bytea_output = ''escape''",
    "DateStyle = ''SQL, DMY''",
    "client_encoding = ''LATIN1''",
    "client_min_messages = ''debug2''",
    "search_path = ''public'', ''pg_catalog''",
};

}  // namespace

TEST_CASE("a database's default settings break nothing") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  for (const auto& setting : harmless) {
    INFO(setting);
    rig.produce(1'000);
    set_default(rig, setting);
    rig.drain();
    reset_defaults(rig);
    CHECK(rig.rows() == rig.produced());
  }
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("all of them at once do not hinder the first start, nor a running pipeline") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  for (const auto& setting : harmless) {
    Psql session(rig.dsn());
    session.run("SET default_transaction_read_only = off");
    REQUIRE(session.run("DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET " + setting +
                        "', current_database()); END$$"));
  }
  auto semel = rig.start();
  REQUIRE(rig.grows(999));
  // Idle longer than idle_session_timeout: the sessions are ended, and opened again.
  REQUIRE(eventually([&] {
    return rig.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
               "AND application_name LIKE 'semel/%' AND query LIKE '%RELEASE%'") == 0;
  }));
  rig.produce(1'000);
  REQUIRE(rig.grows(1'999));
  reset_defaults(rig);
  finish_well(rig, semel);
}

TEST_CASE("a statement_timeout that is too short ends the run with what it is, and loses nothing") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  rig.sql(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN PERFORM pg_sleep(4); RETURN NULL; END'; "
      "CREATE TRIGGER slow AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION slow()");
  set_default(rig, "statement_timeout = ''1500ms''");
  auto semel = rig.start("run", {"--once"});
  expect_end(semel, 4,
             {"57014", "statement timeout", "events", rig.topic() + "[0]",
              "set sink.postgres.statement_timeout"});
  expect_no_dead_letters(rig);
  CHECK(rig.rows() == 0);
  // The pipeline's own setting wins over the database's.
  const auto patient =
      rig.finish("run", {"--once", "--set", "sink.postgres.statement_timeout=30s"});
  INFO(patient.err);
  CHECK(patient.code == 0);
  rig.expect_exactly_once();
}

TEST_CASE("a range that takes longer than statement_timeout is stored by shorter statements") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(1'000);
  rig.sql(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END'; "
      "CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION slow()");
  set_default(rig, "statement_timeout = ''500ms''");
  const auto done = rig.finish("run", {"--once"});
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK_THAT(done.err, Catch::Contains("57014"));
  CHECK_THAT(done.err, !Catch::Contains("(failure 4)"));
  CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE rows = 500") == 2);
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("a lock_timeout while somebody holds the table for a while is retried") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  set_default(rig, "lock_timeout = ''20ms''");
  rig.produce(1'000);
  auto semel = rig.start("run", every_failure);
  REQUIRE(rig.grows(999));
  {
    Psql holder(rig.dsn());
    REQUIRE(holder.run("BEGIN; LOCK TABLE events IN SHARE MODE"));
    rig.produce(1'000);
    // For longer than retry.max_failures: without a lock_timeout it would be waited for, too.
    REQUIRE(says(semel, "55P03"));
    REQUIRE(says(semel, "(failure 16)"));
    REQUIRE(semel.running());
    REQUIRE(holder.run("COMMIT"));
  }
  finish_well(rig, semel);
}
