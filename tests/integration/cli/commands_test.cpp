// semel run, its bar and its signals; semel sql.
#include <fmt/format.h>
#include <csignal>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;

TEST_CASE("run --once drains, says what it did, and draws no bar where nobody looks") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(1'500, 0);
  setup.produce(500, 1);
  setup.produce_value("not json");
  const auto result = setup.run("run", {"--once"});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK(result.out.starts_with("2,001 records in "));
  CHECK(has(result.out, "): 2,000 rows, 1 dead letter\n"));
  CHECK(has(result.err, "offset 1500 was set aside as a dead letter: "));
  CHECK(has(result.err, "SELECT * FROM \"public\".\"semel_dead_letters\" WHERE pipeline = "));
  CHECK_FALSE(has(result.err, "not json"));
  CHECK_FALSE(has(result.err, "\r"));
  CHECK(setup.value("SELECT count(*) FROM events") == "2000");
  setup.produce_value("not json");
  setup.produce(1, 0);
  const auto failing = setup.run("run", {"--once", "--fail-on-dead-letters"});
  CHECK(failing.code == 7);
  CHECK(has(failing.out, "1 row, 1 dead letter"));
  CHECK(has(failing.err, "--fail-on-dead-letters"));
  CHECK(setup.run("run", {"--once", "--fail-on-dead-letters"}).code == 0);
}

TEST_CASE("values that are no JSON are stored as they are where source.kafka.value is raw") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql("CREATE TABLE lines (at bigint, body text, seen timestamptz DEFAULT now())");
  setup.produce_value("not {JSON");
  setup.produce_value(R"({"id": 1})");
  setup.produce_value("\xff");  // no text: a bad record
  const std::vector<std::string> raw{"--set", "source.kafka.value=raw",
                                     "--set", "sink.postgres.table=lines",
                                     "--set", R"(sink.postgres.columns={at="@offset", body="$"})"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), raw.begin(), raw.end());
    return more;
  };
  const auto sample = setup.run("check", with({"--sample", "3"}));
  INFO(sample.out << sample.err);
  CHECK(has(sample.out, "not {JSON"));
  const auto result = setup.run("run", with({"--once"}));
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK(has(result.out, "2 rows, 1 dead letter"));
  CHECK(setup.value("SELECT string_agg(at || ' ' || body, '; ' ORDER BY at) FROM lines "
                    "WHERE seen IS NOT NULL") == R"(0 not {JSON; 1 {"id": 1})");
  // A path into it is a mistake, and one line.
  const auto path = setup.run(
      "run", {"--once", "--set", "source.kafka.value=raw", "--set", "sink.postgres.table=lines",
              "--set", R"(sink.postgres.columns={body="$.a"})"});
  CHECK(path.code == 2);
  CHECK(has(path.err, "source.kafka.value = \"raw\" does not look into the value"));
}

TEST_CASE("run --once draws a bar on a terminal and removes it") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(100);
  const auto result =
      run({.argv = {"script", "-qec", fmt::format("{} run {} --once", SEMEL_BINARY, setup.file()),
                    "/dev/null"}});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK((has(result.out, "connecting ...") || has(result.out, "] 100%  100 offsets")));
  CHECK(has(result.out, "\r\x1b[K100 records in "));
}

TEST_CASE("a second signal ends at once, and nothing is lost or doubled") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  // A range that cannot be finished: its rows wait for a lock.
  const auto blocker = unique_name("blocker");
  auto lock = Process({.argv = {"psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", setup.dsn()},
                       .env = {{"PGAPPNAME", blocker}},
                       .input = "BEGIN; LOCK TABLE events; SELECT pg_sleep(600);"});
  const auto locked = fmt::format(
      "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE application_name "
      "= "
      "'{}' AND l.mode = 'AccessExclusiveLock' AND l.granted",
      blocker);
  REQUIRE(eventually([&] { return setup.value(locked) == "1"; }));
  setup.produce(10);
  auto running = setup.start("run");
  REQUIRE(eventually(
      [&] { return setup.value("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; }));
  running.signal(SIGTERM);
  REQUIRE(eventually([&] { return has(running.err(), "stopping"); }));
  running.signal(SIGTERM);
  const auto ended = running.wait(std::chrono::seconds(60));
  INFO(running.err());
  REQUIRE(ended.has_value());
  CHECK(ended->code == 130);
  lock.kill();
  setup.sql(
      fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                  "application_name = '{}'",
                  blocker));
  drain(setup);
  CHECK(setup.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM events") == "20 20");
}

TEST_CASE("what sql prints makes a ledger that a pipeline can use without making its own") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(3);
  const auto ddl = setup.run("sql");
  REQUIRE(ddl.code == 0);
  setup.sql(ddl.out);
  const auto result = setup.run("run", {"--once", "--set", "sink.postgres.ledger.create=false"});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK(setup.value("SELECT count(*) FROM events") == "3");
}
