// semel bench replay, small: on real servers, and on its own.
#include <fmt/format.h>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "integration/bench/setup.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

ProcessOptions replay(const TempDir& tmp, std::vector<std::string> args) {
  args.insert(args.begin(), "replay");
  return bench(tmp, std::move(args));
}

const nlohmann::json& kind(const nlohmann::json& report, const std::string& name) {
  for (const auto& pipeline : report["pipelines"]) {
    if (pipeline["kind"] == name) return pipeline;
  }
  throw std::runtime_error("no " + name);
}

}  // namespace

TEST_CASE(
    "on a broker and a database: semel is exactly once, and the baselines are what they are") {
  if (!kafka_available()) return;
  const TempDir tmp;
  const TempDir out;
  const auto dsn = PostgresServer::shared().create_database();
  write_file(out / "mine.toml",
             fmt::format(R"(name = "mine"
state_dir = "{}"
[source.kafka]
brokers = "{}"
topics = ["not-read"]
[sink.postgres]
dsn = "{}"
table = "not_written"
columns = {{ somebody = "$.else" }}
)",
                         out / "state", KafkaServer::shared().bootstrap_servers(), dsn));
  const auto result = run(replay(tmp, {out / "mine.toml", "--records", "50000", "--kills", "2",
                                       "--json", out / "r.json", "--html", out / "r.html"}),
                          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  const auto report = nlohmann::json::parse(read_file(out / "r.json"));
  CHECK(report["exactly_once"] == true);
  CHECK(report["records"] == 50'000);
  for (const auto* run : {"without_kills", "with_kills"}) {
    CAPTURE(run);
    const auto& semel = kind(report, "semel")[run];
    CHECK(semel["lost"] == 0);
    CHECK(semel["duplicated"] == 0);
    CHECK(semel["damaged"] == 0);
    CHECK(semel["records_read"] >= 50'000);
    CHECK(kind(report, "receiver")[run]["lost"] == 0);
    CHECK(kind(report, "at-least-once")[run]["lost"] == 0);
    CHECK(kind(report, "at-least-once")[run]["duplicated"] >= 0);
    CHECK(kind(report, "at-most-once")[run]["duplicated"] == 0);
    CHECK(kind(report, "at-most-once")[run]["lost"] >= 0);
  }
  for (const auto& pipeline : report["pipelines"]) {
    CHECK(pipeline["without_kills"]["exactly_once"] == true);
  }
  const auto& killed = kind(report, "semel")["with_kills"];
  REQUIRE(killed["kills_made"] >= 1);
  CHECK(killed["restart_to_first_commit_ms"]["values"].size() >= 1);
  CHECK(killed["restart_to_first_commit_ms"]["median"] > 0);
  CHECK(read_file(out / "r.html").find("</html>") != std::string::npos);

  // Nothing is left behind, and nothing of the user's was touched.
  CHECK(PostgresServer::value(dsn,
                              "SELECT count(*) FROM pg_namespace WHERE nspname = "
                              "'semel_bench'") == "0");
  CHECK(PostgresServer::value(dsn,
                              "SELECT count(*) FROM pg_tables WHERE tablename LIKE "
                              "'semel%'") == "0");
  CHECK_FALSE(std::filesystem::exists(out / "state"));
  CHECK(empty(tmp));
}

TEST_CASE("a frozen process that wakes up is fenced") {
  if (!kafka_available()) return;
  const TempDir tmp;
  const TempDir out;
  const auto dsn = PostgresServer::shared().create_database();
  const auto result =
      run(replay(tmp, {"--brokers", KafkaServer::shared().bootstrap_servers(), "--dsn", dsn,
                       "--records", "50000", "--kills", "1", "--signal", "STOP", "--baselines",
                       "none", "--keep", "--json", out / "r.json"}),
          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  const auto report = nlohmann::json::parse(read_file(out / "r.json"));
  const auto& killed = kind(report, "semel")["with_kills"];
  CHECK(killed["exactly_once"] == true);
  CHECK(killed["fenced"] == killed["kills_made"]);
  // --keep: to be looked at.
  CHECK(PostgresServer::value(dsn, "SELECT count(*) FROM semel_bench.semel_kills") == "50000");
  const auto again =
      run(replay(tmp, {"--brokers", KafkaServer::shared().bootstrap_servers(), "--dsn", dsn}));
  CHECK(again.code == 4);
  CHECK(again.err.find("DROP SCHEMA semel_bench CASCADE") != std::string::npos);
}

TEST_CASE("on its own: an embedded broker and a throwaway PostgreSQL, gone afterwards") {
  const TempDir tmp;
  const TempDir out;
  open_to_all(tmp);
  const auto result = run(replay(tmp, {"--records", "50000", "--kills", "2", "--baselines", "none",
                                       "--json", out / "r.json"}),
                          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(nlohmann::json::parse(read_file(out / "r.json"))["exactly_once"] == true);
  CHECK(empty(tmp));
}

TEST_CASE("interrupted or killed, it leaves nothing behind") {
  leaves_nothing_behind({"replay", "--records", "200000", "--kills", "2"}, "semel_calm.prom.1");
}

TEST_CASE("what cannot be is said before anything is started") {
  const TempDir tmp;
  const auto said = [&](std::vector<std::string> args, int code, const std::string& part) {
    const auto result = run(replay(tmp, std::move(args)));
    INFO(result.out << result.err);
    CHECK(result.code == code);
    CHECK(result.err.find(part) != std::string::npos);
    CHECK(empty(tmp));
  };
  said({"--baselines", "twice"}, 2, "twice");
  said({"--signal", "HUP"}, 2, "KILL, TERM, INT, STOP");
  said({"--kill-every", "soon"}, 2, "soon");
  said({"--records", "0"}, 2, "--records");
  said({"--records", "10000000", "--partitions", "4"}, 2, "--partitions");
  said({"nowhere.toml"}, 2, "nowhere.toml");
  said({"nowhere.toml", "--dsn", "x"}, 2, "leave out FILE");
  said({"--html", "/nowhere/r.html"}, 2, "/nowhere/r.html");
  said({"--dsn", fmt::format("host=127.0.0.1 port={} connect_timeout=5", free_port())}, 4,
       "PostgreSQL");
  const auto dsn = PostgresServer::shared().create_database();
  said({"--brokers", fmt::format("127.0.0.1:{}", free_port()), "--dsn", dsn}, 3, "Kafka at");
  CHECK(PostgresServer::value(dsn,
                              "SELECT count(*) FROM pg_namespace WHERE nspname = "
                              "'semel_bench'") == "0");
}
