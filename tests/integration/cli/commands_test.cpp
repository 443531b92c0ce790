// Each command on a real pipeline.
#include <fmt/format.h>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

nlohmann::json status_of(const Setup& setup, std::vector<std::string> args = {}) {
  args.push_back("--json");
  const auto result = setup.run("status", args);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  return nlohmann::json::parse(result.out);
}

void drain(const Setup& setup) {
  const auto result = setup.run("run", {"--once"});
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
}

std::string nobody() {
  return fmt::format("source.kafka.brokers=127.0.0.1:{}", free_port());
}

}  // namespace

TEST_CASE("check finds a good pipeline in order and changes nothing") {
  if (!kafka_available()) return;
  Setup setup(3);
  setup.produce(7);
  const auto result = setup.run("check");
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK_FALSE(has(result.out, "✗"));
  CHECK(has(result.out, fmt::format("✓ topic {}: 3 partitions", setup.topic())));
  CHECK(has(result.out, "7 records from there to the ends"));
  CHECK(has(result.out, "✓ state directory"));
  CHECK(result.err.empty());
  CHECK_FALSE(std::filesystem::exists(setup.state_dir()));
  CHECK(setup.value("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'semel%'") == "0");
}

TEST_CASE("check goes through all areas and exits with the code of the first that fails") {
  if (!kafka_available()) return;
  Setup setup;
  write_file(setup.path("a-file"), "");
  const std::string state = "state_dir=" + setup.path("a-file");
  const std::string table = "sink.postgres.table=nowhere";

  const auto all = setup.run("check", {"--set", nobody(), "--set", table, "--set", state});
  INFO(all.out << all.err);
  CHECK(all.code == 3);
  CHECK(has(all.out, "✗ Kafka at"));
  CHECK(has(all.out, "✗ table \"nowhere\""));
  CHECK(has(all.out, "✗ state directory"));
  CHECK(setup.run("check", {"--set", table, "--set", state}).code == 4);
  CHECK(setup.run("check", {"--set", state}).code == 8);
}

TEST_CASE("check reads a record of each topic: seeing a topic is not the right to read it") {
  if (!kafka_available()) return;
  Setup setup;
  SECTION("with records") {
    setup.produce(3);
  }
  SECTION("empty") {}
  CHECK(setup.run("check").code == 0);
  KafkaServer::shared().deny_reading(setup.topic());
  // The broker tells its handlers of the new right a moment later.
  const auto refused = [&] {
    const auto result = setup.run("check");
    return result.code == 3 && has(result.out, "✗") && has(result.out, setup.topic());
  };
  CHECK(eventually(refused));
}

TEST_CASE("check refuses another cluster behind the address, as run does") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  drain(setup);
  setup.sql("UPDATE semel_owners SET cluster_id = 'of-yesterday'");
  const auto check = setup.run("check");
  const auto run = setup.run("run", {"--once"});
  CHECK(has(check.out, "belongs to Kafka cluster of-yesterday"));
  CHECK(has(run.err, "belongs to Kafka cluster of-yesterday"));
  CHECK(check.code == run.code);
  // Whoever is at work in the right cluster is not disturbed.
  CHECK(setup.value("SELECT epoch FROM semel_owners") == "1");
}

TEST_CASE("check tries the state directory, and leaves it as it was") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  const auto deep = "state_dir=" + setup.path("a/b/c");
  CHECK(setup.run("check", {"--set", deep}).code == 0);
  CHECK_FALSE(std::filesystem::exists(setup.path("a")));
  const auto name = "state_dir=" + setup.path(std::string(300, 'x'));
  const auto refused = setup.run("check", {"--set", name});
  CHECK(refused.code == 8);
  CHECK(has(refused.out, "✗ state directory"));
  CHECK(setup.run("run", {"--once", "--set", name}).code == 8);

  // A plan log that run would not read.
  drain(setup);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(setup.state_dir())) {
    if (entry.path().filename().string().starts_with("MANIFEST")) write_file(entry.path(), "?");
  }
  CHECK(setup.run("check").code == 8);
  CHECK(setup.run("run", {"--once"}).code == 8);
  // Whoever cannot go on fences nobody.
  CHECK(setup.run("run", {"--once", "--set", name}).code == 8);
  CHECK(setup.value("SELECT epoch FROM semel_owners") == "1");
}

TEST_CASE("check --sample shows the rows that the next records would become") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(2, 0);
  drain(setup);
  setup.produce_value(R"({"id": 7, "name": "a\u001b[31mred"})");
  setup.produce_value(R"({"id": "x"})");
  setup.produce(1, 1);
  setup.produce_value(R"({"id": 8, "name": "a \"b\" id=9"})");
  const auto result = setup.run("check", {"--sample", "10"});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  // What was stored is not shown again, and a terminal is not told what to do.
  CHECK(has(result.out, fmt::format("✓ {}[0] offset 2: id=7 name=a\\x1b[31mred\n", setup.topic())));
  CHECK(has(result.out, fmt::format("✗ {}[0] offset 3: ", setup.topic())));
  CHECK(has(result.out,
            fmt::format("✓ {}[0] offset 4: id=8 name=\"a \\\"b\\\" id=9\"\n", setup.topic())));
  CHECK(has(result.out, fmt::format("✓ {}[1] offset 0: id=2 name=n2\n", setup.topic())));
  CHECK(has(result.out, "column name: filled in 3 of 3 rows"));
  CHECK(has(result.out, "4 records: 3 rows, 1 refused, 0 ignored; nothing was written"));
  CHECK_FALSE(has(result.out, "offset 1:"));
  CHECK(setup.value("SELECT count(*) FROM events") == "2");
  CHECK(setup.value("SELECT count(*) FROM semel_dead_letters") == "0");
  CHECK(setup.run("check", {"--sample", "1", "--set", "sink.postgres.on_bad_record=stop"}).code ==
        0);
  CHECK(setup.run("check", {"--sample", "2", "--set", "sink.postgres.on_bad_record=stop"}).code ==
        7);
  CHECK(setup.run("check", {"--sample", "0"}).code == 2);
}

TEST_CASE("check --sample shows what is stored, and what triggers leave out") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql(
      "ALTER TABLE events ADD n numeric(6,2), ADD t timestamptz(0), ADD a int[], ADD j jsonb;"
      "CREATE FUNCTION even() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END';"
      "CREATE TRIGGER even BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION even()");
  setup.produce_value(
      R"({"id": 1, "name": "it's \\ a\ttab", "n": 12.345, "t": "2026-01-31T10:20:30.6Z",
                          "a": ["1", 2], "j": {"b":1,   "a":"\u0001"}})");
  setup.produce_value(R"({"id": 2})");
  setup.produce_value(R"({"id": 3, "n": 1e3})");
  const auto result = setup.run("check", {"--sample", "10"});
  INFO(result.out << result.err);
  CHECK(has(result.out,
            "3 records: 2 rows, 0 refused, 0 ignored, 1 suppressed by triggers; nothing"));
  CHECK(has(result.out, "offset 1: suppressed, a trigger returned NULL\n"));
  drain(setup);
  // As PostgreSQL itself spells what it has stored.
  const auto stored = setup.value(
      "SET timezone = 'UTC'; SELECT format('n=%s t=%s a=%s', n, '\"' || t || '\"', a) FROM events "
      "WHERE id = 1");
  CHECK(has(result.out, " n=12.35 "));
  CHECK(has(result.out, stored));
  CHECK(has(result.out, " n=1000.00 "));
}

TEST_CASE("check shows the configuration in effect without passwords") {
  if (!kafka_available()) return;
  Setup setup;
  const auto result =
      setup.run("check", {"--show-config", "--set",
                          "sink.postgres.dsn=host=127.0.0.1 port=1 password=hunter2", "--set",
                          "source.kafka.librdkafka.sasl.password=hunter2"});
  CHECK(result.code == 4);
  CHECK(has(result.out, "dsn = \"host=127.0.0.1 port=1 password=***\""));
  CHECK(has(result.out, "\"sasl.password\" = \"***\""));
  CHECK(has(result.out, "interval = "));
  CHECK(has(result.out, "state_dir = \"" + setup.state_dir()));
  CHECK(has(result.out, "group_id = \"" + setup.topic() + "\""));
  CHECK_FALSE(has(result.out + result.err, "hunter2"));
}

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

TEST_CASE("status shows owner, progress and lag, also without Kafka") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10, 0);
  CHECK(setup.run("status").code == 4);  // no ledger yet
  drain(setup);
  setup.produce(5, 1);

  const auto status = status_of(setup);
  INFO(status.dump(2));
  CHECK(status["pipeline"] == setup.topic());
  CHECK(status["owner"]["alive"] == false);
  CHECK(status["kafka"]["reachable"] == true);
  CHECK(status["lag"] == 5);
  CHECK(status["dead_letters"] == 0);
  REQUIRE(status["partitions"].size() == 2);
  CHECK(status["partitions"][0]["committed"] == 10);
  CHECK(status["partitions"][0]["lag"] == 0);
  CHECK(status["partitions"][0]["last_batch_time_ms"] > 1'700'000'000'000);
  CHECK(status["partitions"][1]["committed"] == 0);
  CHECK(status["partitions"][1]["latest"] == 5);
  CHECK(status["partitions"][1]["last_batch_time"].is_null());

  const auto blind = status_of(setup, {"--set", nobody()});
  CHECK(blind["kafka"]["reachable"] == false);
  CHECK(blind["lag"].is_null());
  CHECK(blind["partitions"][0]["committed"] == 10);
  CHECK(blind["partitions"][0]["latest"].is_null());

  const auto text = setup.run("status");
  CHECK(text.code == 0);
  CHECK(has(text.out, "not running"));
  CHECK(has(text.out, "lag 5, dead letters 0"));
}

TEST_CASE("status tells monitoring by its exit code that too much waits, or for too long") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  CHECK(setup.run("status", {"--max-lag", "0", "--max-age", "1ms"}).code == 0);
  setup.produce(5);
  CHECK(setup.run("status", {"--max-lag", "5"}).code == 0);
  CHECK(setup.run("status", {"--max-age", "1h"}).code == 0);
  const auto lag = setup.run("status", {"--max-lag", "4"});
  CHECK(lag.code == 9);
  CHECK(lag.err == "semel: the lag is 5, more than 4\n");
  CHECK(has(lag.out, "lag 5"));
  setup.sql("UPDATE semel_progress SET moved_at = clock_timestamp() - interval '2 hours'");
  const auto age = setup.run("status", {"--json", "--max-age", "1h"});
  CHECK(age.code == 9);
  CHECK(has(age.err, "the last commit was 2 h"));
  CHECK(nlohmann::json::parse(age.out)["lag"] == 5);
  const auto blind = setup.run("status", {"--max-lag", "100", "--set", nobody()});
  CHECK(blind.code == 9);
  CHECK(has(blind.err, "the lag is unknown"));
  // Nobody runs it, and nobody ever did; and one that cannot go on has no lag.
  CHECK(setup.run("status", {"--running"}).err == "semel: the pipeline is not running (stopped)\n");
  CHECK(setup.run("status", {"--running"}).code == 9);
  CHECK(setup.run("status", {"--running", "--set", "name=another"}).code == 9);
  setup.sql("UPDATE semel_progress SET until_offset = 100");
  const auto lost = setup.run("status", {"--max-lag", "1000"});
  CHECK(lost.code == 9);
  CHECK(has(lost.err, "the lag is unknown"));
  CHECK(has(lost.out, "committed up to 100, but the log ends at 15: "));
  CHECK(setup.run("status", {"--max-lag", "-1"}).code == 2);
  CHECK(setup.run("status", {"--max-lag", "many"}).code == 2);
  CHECK(setup.run("status", {"--max-age", "soon"}).code == 2);
}

TEST_CASE("status counts every record once, and since when; the bench's tally agrees") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql(
      "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id % 2 = 1 THEN "
      "RETURN NULL; END IF; RETURN NEW; END$$; CREATE TRIGGER odd BEFORE INSERT ON events FOR EACH "
      "ROW EXECUTE FUNCTION odd()");
  setup.produce(10);
  setup.produce_value("not json");
  {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (int i = 0; i < 3; ++i) producer.produce(setup.topic(), 0, "key", std::nullopt);
    producer.flush();
  }
  const auto ran = setup.run("run", {"--once", "--tally", setup.path("tally")});
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == 0);
  const auto counted = status_of(setup)["counted"];
  INFO(counted.dump());
  CHECK(setup.value("SELECT count(*) FROM events") == "5");
  CHECK(counted["rows"] == 5);
  CHECK(counted["suppressed"] == 5);
  CHECK(counted["dead_letters"] == 1);
  CHECK(counted["ignored"] == 3);
  CHECK(counted["records"] == 14);
  CHECK(counted["uncounted_commits"] == 0);
  const auto tally = read_file(setup.path("tally"));
  std::uint64_t told = 0;
  REQUIRE(tally.size() >= sizeof told);
  std::memcpy(&told, tally.data(), sizeof told);
  CHECK(told == 14);
  CHECK(has(setup.run("status").out,
            "Z: 14 records: 5 rows, 1 dead letter, 3 ignored, 5 suppressed\n"));

  // As a semel of before left them, and as trimming does.
  setup.sql("UPDATE semel_commits SET ignored = NULL, suppressed = NULL");
  CHECK(has(setup.run("status").out, "commits are of an earlier semel"));
  setup.sql("DELETE FROM semel_commits");
  CHECK(status_of(setup)["counted"].is_null());
}

TEST_CASE("check refuses another table as run does, unless that is accepted") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(2);
  drain(setup);
  setup.sql("CREATE TABLE other (id bigint, name text)");
  const std::string other = "sink.postgres.table=other";
  const auto refused = setup.run("check", {"--set", other});
  CHECK(refused.code == 2);
  CHECK(has(refused.out, "--accept-changed-table"));
  CHECK(setup.run("check", {"--accept-changed-table", "--set", other}).code == 0);
  CHECK(setup.run("run", {"--once", "--set", other}).code == 2);
  setup.produce(3);
  CHECK(setup.run("run", {"--once", "--accept-changed-table", "--set", other}).code == 0);
  CHECK(setup.value("SELECT count(*) FROM other") == "3");
}

TEST_CASE("a running pipeline is alive, stops in good order, and is not alive any more") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  auto running = setup.start("run");
  REQUIRE(eventually([&] {
    return setup.value("SELECT to_regclass('semel_progress') IS NOT NULL") == "t" &&
           setup.value("SELECT count(*) FROM events") == "10";
  }));
  CHECK(status_of(setup)["owner"]["alive"] == true);
  running.signal(SIGTERM);
  const auto ended = running.wait(std::chrono::seconds(60));
  INFO(running.err());
  REQUIRE(ended.has_value());
  CHECK(ended->code == 0);
  CHECK(has(running.err(), "stopping"));
  CHECK(status_of(setup)["owner"]["alive"] == false);
  CHECK(setup.run("verify").code == 0);
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

TEST_CASE("verify proves the chain, and finds a move that is gone") {
  if (!kafka_available()) return;
  Setup setup;
  for (int i = 0; i < 3; ++i) {
    setup.produce(10);
    drain(setup);
  }
  const auto proven = setup.run("verify");
  INFO(proven.out << proven.err);
  CHECK(proven.code == 0);
  CHECK(has(proven.out, "Proven: no gap and no overlap"));
  CHECK(has(proven.out, "started at 0"));

  setup.sql("DELETE FROM semel_commits WHERE from_offset = 10");
  const auto broken = setup.run("verify");
  INFO(broken.out << broken.err);
  CHECK(broken.code == 1);
  CHECK(has(broken.out, "gap: offsets [10, 20) are missing"));
  CHECK_FALSE(has(broken.out, "Proven"));
}

TEST_CASE("offsets are shown, set and reset, and the chain records it") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10, 0);
  setup.produce(4, 1);
  drain(setup);
  const auto& topic = setup.topic();
  const auto committed = [&](int partition) {
    return setup.value(
        fmt::format("SELECT until_offset FROM semel_progress WHERE \"partition\" = {}", partition));
  };

  const auto shown = setup.run("offsets", {"show"});
  CHECK(shown.code == 0);
  CHECK(has(shown.out, topic + "[0]"));

  const auto dry = setup.run("offsets", {"set", topic + ":0=3", "--dry-run"});
  INFO(dry.out << dry.err);
  CHECK(dry.code == 0);
  CHECK(has(dry.out, "7 offsets are read again"));
  CHECK(committed(0) == "10");

  const auto set = setup.run("offsets", {"set", topic + ":0=3", topic + ":1=4"});
  INFO(set.out << set.err);
  CHECK(set.code == 0);
  CHECK(committed(0) == "3");
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "21");
  auto verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "set by an operator from 10 to 3"));
  CHECK(has(verified.out, "in 2 partitions, apart from 1 decision above."));
  CHECK(has(setup.run("offsets", {"set", topic + ":0=10"}).out, "Nothing is to be changed"));
  CHECK(setup.run("verify").out == verified.out);

  CHECK(setup.run("offsets", {"set", "--to", "latest"}).code == 0);
  CHECK(committed(1) == "4");
  const auto reset = setup.run("offsets", {"reset"});
  INFO(reset.out << reset.err);
  CHECK(reset.code == 0);
  CHECK(committed(0).empty());
  CHECK(setup.run("verify").code == 0);
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "35");
  verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "forgotten by an operator (reset) at 4"));
}

TEST_CASE("offsets that make no sense are usage errors") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  drain(setup);
  const auto& topic = setup.topic();
  CHECK(setup.run("offsets", {"set"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=-1"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=1", topic + ":0=2"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=1", "--to", "latest"}).code == 2);
  CHECK(setup.run("offsets", {"set", "--to", "2026-01-31"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":7=1"}).code == 2);
  CHECK(setup.run("offsets", {"show", topic + ":0=1"}).code == 2);
  CHECK(setup.run("offsets", {"move"}).code == 2);
}

TEST_CASE("offsets refuse while an owner is alive, unless forced, and then it is fenced") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  auto running = setup.start("run");
  REQUIRE(eventually([&] {
    return setup.value("SELECT to_regclass('semel_progress') IS NOT NULL") == "t" &&
           setup.value("SELECT count(*) FROM events") == "10";
  }));
  const auto refused = setup.run("offsets", {"reset"});
  INFO(refused.out << refused.err);
  CHECK(refused.code == 4);
  CHECK(has(refused.err, "--force"));
  CHECK(running.running());
  CHECK(setup.run("offsets", {"set", setup.topic() + ":0=0", "--force"}).code == 0);
  const auto ended = running.wait(std::chrono::seconds(60));
  INFO(running.err());
  REQUIRE(ended.has_value());
  CHECK(ended->code == 5);
  CHECK(has(running.err(), "semel offsets on"));
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

TEST_CASE("status shows the records that an open transaction hides") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  KafkaProducer open(KafkaServer::shared().bootstrap_servers(),
                     {{"transactional.id", unique_name("open")}});
  open.begin();
  open.produce(setup.topic(), 0, {}, "{\"id\":1}");
  open.flush();
  setup.produce(1'000);
  drain(setup);
  const auto text = setup.run("status");
  INFO(text.out);
  CHECK(has(text.out,
            "1001 records wait behind an open transaction (high watermark 1002, last "
            "stable offset 1)"));
  const auto json = status_of(setup);
  CHECK(json["partitions"][0]["latest"] == 1);
  CHECK(json["partitions"][0]["high_watermark"] == 1'002);
  CHECK(json["partitions"][0]["behind_open_transaction"] == 1'001);
  open.abort();
  const auto over = setup.run("status");
  CHECK_FALSE(has(over.out, "open transaction"));
}

TEST_CASE("a start that is not in the log is refused by check and by run, with the same words") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  const auto plain = read_file(setup.file());
  const auto start_at = [&](int offset) {
    write_file(setup.file(), fmt::format("{}[source.kafka.start]\n\"{}\" = {{0 = {}}}\n", plain,
                                         setup.topic(), offset));
  };
  std::string said;
  int offset = 0;
  SECTION("past the end") {
    offset = 1'000;
    said = fmt::format("offset 1000 of {}[0] is past the end 10", setup.topic());
  }
  SECTION("below what is still there") {
    KafkaServer::shared().delete_records(setup.topic(), 0, 4);
    offset = 2;
    said = fmt::format("offset 2 of {}[0] is below the first record that Kafka still has, offset 4",
                       setup.topic());
  }
  start_at(offset);
  const auto checked = setup.run("check");
  INFO(checked.out << checked.err);
  CHECK(has(checked.out, "✗ source.kafka.start: " + said));
  CHECK(checked.code == 2);
  const auto ran = setup.run("run", {"--once"});
  INFO(ran.err);
  CHECK(has(ran.err, said));
  CHECK(ran.code == 2);
  CHECK(setup.value("SELECT count(*) FROM semel_progress") == "0");
  start_at(10);
  CHECK(setup.run("check").code == 0);
}

TEST_CASE("a position past the end is set only by force, and never read as another log") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  const auto beyond = setup.topic() + ":0=5000";
  const auto refused = setup.run("offsets", {"set", beyond});
  INFO(refused.err);
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "offset 5000 is past the end of the log, which is 10"));
  CHECK(setup.value("SELECT until_offset FROM semel_progress") == "10");
  CHECK(setup.run("offsets", {"set", beyond, "--force"}).code == 0);
  const auto ran = setup.run("run", {"--once", "--set", "on_data_loss=skip"});
  INFO(ran.err);
  CHECK(ran.code == 6);
  CHECK(has(ran.err, "at offset 5000"));
  CHECK(has(ran.err, "ends at 10"));
  CHECK(setup.value("SELECT count(*) FROM events") == "10");
  // Of what is read again only what the log holds counts.
  const auto back = setup.run("offsets", {"set", setup.topic() + ":0=8", "--force"});
  CHECK(back.code == 0);
  CHECK(has(back.out, "2 offsets are read again"));
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "12");
  KafkaServer::shared().delete_records(setup.topic(), 0, 5);
  const auto before = setup.run("offsets", {"set", setup.topic() + ":0=4"});
  CHECK(before.code == 2);
  CHECK(has(before.err, "offset 4 is before the begin of the log, which is 5"));
}
