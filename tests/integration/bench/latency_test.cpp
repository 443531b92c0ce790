// semel bench latency, small. What it measures depends on the machine; that it measures does not.
#include <fmt/format.h>
#include <csignal>
#include <nlohmann/json.hpp>

#include "integration/bench/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

void check_spread(const nlohmann::json& spread) {
  CHECK(spread["p50"] > 0);
  CHECK(spread["p50"] <= spread["p90"]);
  CHECK(spread["p90"] <= spread["p99"]);
  CHECK(spread["p99"] <= spread["max"]);
}

void check_driver(const nlohmann::json& driver) {
  CHECK(driver["batches"] > 0);
  CHECK(driver["batch_ms"]["median"] > 0);
  CHECK(driver["batch_ms"]["median"] <= driver["batch_ms"]["p99"]);
  CHECK(driver["syncing_ms"]["median"] <= driver["batch_ms"]["p99"]);
}

}  // namespace

TEST_CASE("latency counts every record once") {
  if (!kafka_available()) return;
  const TempDir tmp;
  const TempDir out;
  const auto dsn = PostgresServer::shared().create_database();
  const auto result =
      run(bench(tmp, {"latency", "--brokers", KafkaServer::shared().bootstrap_servers(), "--dsn",
                      dsn, "--rate", "1000", "--duration", "1s", "--interval", "20ms",
                      "--partitions", "3", "--json", out / "r.json", "--html", out / "r.html"}),
          5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(result.err.empty());
  const auto report = nlohmann::json::parse(read_file(out / "r.json"));
  CHECK(report["exactly_once"] == true);
  CHECK(report["interval_ms"] == 20);

  const auto& steady = report["steady"];
  CHECK(steady["records"] == 1'000);
  std::int64_t counted = 0;
  for (const auto& bucket : steady["histogram_ms"]) counted += bucket[2].get<std::int64_t>();
  CHECK(counted == 1'000);
  check_spread(steady["visible_ms"]);
  check_driver(steady["driver"]);
  // Spread over the second, not produced in one burst.
  CHECK(steady["seconds"] >= 0.99);
  CHECK(steady["poll_ms_p99"] > 0);

  const auto& small = report["small_batches"];
  CHECK(small["batches"] == 200);
  CHECK(small["records_each"] == 4);
  check_spread(small["visible_ms"]);
  check_spread(small["acknowledged_ms"]);
  check_spread(small["bare_insert_ms"]);
  check_driver(small["driver"]);
  CHECK(small["beyond_bare_insert_ms"] == Approx(small["visible_ms"]["p50"].get<double>() -
                                                 small["bare_insert_ms"]["p50"].get<double>())
                                              .margin(1e-6));

  CHECK(read_file(out / "r.html").find("</html>") != std::string::npos);
  CHECK(PostgresServer::value(
            dsn, "SELECT count(*) FROM pg_namespace WHERE nspname = 'semel_bench'") == "0");
  CHECK(empty(tmp));
}

TEST_CASE("latency on its own servers, gone afterwards") {
  const TempDir tmp;
  open_to_all(tmp);
  const auto result = run(bench(tmp, {"latency", "--rate", "200", "--duration", "500ms"}), 5min);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out.find("every record arrived, once, as produced") != std::string::npos);
  CHECK(result.out.find("The bench's own error") != std::string::npos);
  CHECK(empty(tmp));
}

TEST_CASE("a latency run that is interrupted leaves nothing behind") {
  leaves_nothing_behind({"latency", "--rate", "100", "--duration", "10m"}, "semel_latency.log");
}

TEST_CASE("a semel that ends while its latency is measured is an error that says how") {
  const TempDir tmp;
  open_to_all(tmp);
  Process process(bench(tmp, {"latency", "--rate", "100", "--duration", "10m"}));
  const auto measured = [&] {
    // Its arguments end with the setting; the bench itself has no such words.
    return run({.argv = {"pgrep", "-f", tmp.path().string() + ".* --set batch.interval="}}).out;
  };
  REQUIRE(eventually([&] { return !measured().empty(); }, 120s));
  ::kill(std::stoi(measured()), SIGKILL);
  const auto ended = process.wait(60s);
  REQUIRE(ended);
  INFO(process.err());
  CHECK(ended->code == 1);
  CHECK(process.err().find("was ended by signal 9") != std::string::npos);
  CHECK(empty(tmp));
}
