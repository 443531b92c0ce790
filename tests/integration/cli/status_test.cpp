// semel status.
#include <csignal>
#include <nlohmann/json.hpp>
#include <regex>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

nlohmann::json status_of(const Setup& setup, std::vector<std::string> args = {}) {
  args.push_back("--json");
  const auto result = setup.run("status", args);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  return nlohmann::json::parse(result.out);
}

}  // namespace

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
  // Killed, or in a transaction of its own that takes long.
  setup.sql(
      "UPDATE semel_owners SET application_name = 'somebody', state = 'running', seen_at = "
      "clock_timestamp() - interval '2 hours'");
  CHECK(has(setup.run("status", {"--running"}).err, "silent for 2 h"));
  CHECK(has(setup.run("status").out, "it may be working, or gone"));
  setup.sql("UPDATE semel_progress SET until_offset = 100");
  const auto lost = setup.run("status", {"--max-lag", "1000"});
  CHECK(lost.code == 9);
  CHECK(has(lost.err, "the lag is unknown"));
  CHECK(has(lost.out, "committed up to 100, but the log ends at 15: "));
  CHECK(setup.run("status", {"--max-lag", "-1"}).code == 2);
  CHECK(setup.run("status", {"--max-lag", "many"}).code == 2);
  CHECK(setup.run("status", {"--max-age", "soon"}).code == 2);
}

TEST_CASE("status counts every record once, and since when; the metrics agree") {
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
  const auto ran = setup.run("run", {"--once", "--metrics-file", setup.path("metrics")});
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
  const auto metrics = read_file(setup.path("metrics"));
  for (const auto* line : {"semel_records_total", "semel_read_records_total"}) {
    CHECK(std::regex_search(metrics, std::regex(std::string("\n") + line + "\\{[^\n]*\\} 14\n")));
  }
  CHECK(std::regex_search(metrics, std::regex("\nsemel_suppressed_records_total[^\n]* 5\n")));
  CHECK(std::regex_search(metrics, std::regex("\nsemel_ignored_records_total[^\n]* 3\n")));
  CHECK(has(setup.run("status").out,
            "Z: 14 records: 5 rows, 1 dead letter, 3 ignored, 5 suppressed\n"));

  // As a semel of before left them, and as trimming does.
  setup.sql("UPDATE semel_commits SET ignored = NULL, suppressed = NULL");
  CHECK(has(setup.run("status").out, "commits are of an earlier semel"));
  setup.sql("DELETE FROM semel_commits");
  CHECK(status_of(setup)["counted"].is_null());
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
