// semel bench throughput, small.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "integration/bench/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("throughput drains all records into a fresh table, as often as asked, and checks each") {
  if (!kafka_available()) return;
  const TempDir tmp;
  const TempDir out;
  const auto dsn = PostgresServer::shared().create_database();
  const auto result =
      run(bench(tmp, {"throughput", "--brokers", KafkaServer::shared().bootstrap_servers(), "--dsn",
                      dsn, "--records", "30000", "--partitions", "3", "--runs", "2", "--json",
                      out / "r.json", "--html", out / "r.html"}),
          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.out.find("30,000 records of 165 bytes, 3 partitions") != std::string::npos);
  const auto report = nlohmann::json::parse(read_file(out / "r.json"));
  CHECK(report["exactly_once"] == true);
  REQUIRE(report["runs"].size() == 2);
  for (const auto& one : report["runs"]) {
    CHECK(one["lost"] == 0);
    CHECK(one["duplicated"] == 0);
    CHECK(one["sums_agree"] == true);
    // Start-up is in one and not in the other.
    CHECK(one["steady_seconds"] > 0);
    CHECK(one["steady_seconds"] < one["seconds"]);
    CHECK(one["rows_per_second"] < one["steady_rows_per_second"]);
    CHECK(one["cpu_seconds"] > 0);
    CHECK(one["peak_memory_mib"] > 1);
  }
  CHECK(read_file(out / "r.html").find("</html>") != std::string::npos);
  CHECK(PostgresServer::value(
            dsn, "SELECT count(*) FROM pg_namespace WHERE nspname = 'semel_bench'") == "0");
  CHECK(empty(tmp));
}

TEST_CASE("throughput on its own: it says that its broker is no measure of Kafka") {
  const TempDir tmp;
  const TempDir out;
  open_to_all(tmp);
  const auto result =
      run(bench(tmp, {"throughput", "--records", "20000", "--runs", "1", "--json", out / "r.json"}),
          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  const auto report = nlohmann::json::parse(read_file(out / "r.json"));
  CHECK(report["exactly_once"] == true);
  CHECK(report["machine"]["broker"].get<std::string>().find("embedded") == 0);
  CHECK(empty(tmp));
}

TEST_CASE("throughput uses the settings of a pipeline's file, not its topic and table") {
  if (!kafka_available()) return;
  const TempDir tmp;
  const TempDir out;
  const auto dsn = PostgresServer::shared().create_database();
  write_file(out / "mine.toml", fmt::format(R"(name = "mine"
executors = 1
[source.kafka]
brokers = "{}"
topics = ["not-read"]
[sink.postgres]
dsn = "{}"
table = "not_written"
)",
                                            KafkaServer::shared().bootstrap_servers(), dsn));
  const auto result =
      run(bench(tmp, {"throughput", out / "mine.toml", "--records", "5000", "--runs", "1", "--set",
                      "batch.max_records_per_partition=100", "--keep"}),
          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(PostgresServer::value(dsn, "SELECT count(*) FROM semel_bench.semel_run_1") == "5000");
  // No move of the ledger was larger than the setting.
  CHECK(PostgresServer::value(dsn,
                              "SELECT max(until_offset - from_offset) FROM "
                              "semel_bench.semel_commits WHERE kind = 'commit'") == "100");
}

TEST_CASE("what cannot be measured is said before anything is started") {
  const TempDir tmp;
  const auto said = [&](std::vector<std::string> args, const std::string& part) {
    const auto result = run(bench(tmp, std::move(args)));
    INFO(result.out << result.err);
    CHECK(result.code == 2);
    CHECK(result.err.find(part) != std::string::npos);
    CHECK(empty(tmp));
  };
  said({"throughput", "--runs", "0"}, "--runs");
  said({"throughput", "--records", "10000000", "--partitions", "4"}, "--partitions");
  said({"throughput", "nowhere.toml", "--dsn", "x"}, "leave out FILE");
  said({"latency", "--rate", "0"}, "--rate");
  said({"latency", "--duration", "long"}, "--duration");
  said({"latency", "--interval", "0s"}, "--interval");
  said({"latency", "nowhere.toml", "--brokers", "x"}, "leave out FILE");
}
