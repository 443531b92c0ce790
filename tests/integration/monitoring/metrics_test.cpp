// Metrics of real runs, against what the tables and the ledger hold.
#include <csignal>

#include "integration/monitoring/scrape.hpp"
#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;
using namespace std::chrono_literals;

namespace {

const std::string dead_letters = "SELECT count(*) FROM semel_dead_letters";

}  // namespace

TEST_CASE("the metrics of a run agree with the table and the ledger") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(5'000);
  rig.produce_value("{\"id\": \"no number\"}");
  rig.produce_value("no JSON");
  const TempDir dir;
  const auto file = dir / "clicks.prom";
  rig.finish("run", {"--once", "--metrics-file", file});
  const auto page = read_file(file);
  INFO(page);
  CHECK(value_of(page, "semel_rows_total") == static_cast<double>(rig.rows()));
  CHECK(value_of(page, "semel_rows_total") ==
        static_cast<double>(rig.number("SELECT sum(rows) FROM semel_commits")));
  CHECK(value_of(page, "semel_dead_letters_total") ==
        static_cast<double>(rig.number(dead_letters)));
  CHECK(value_of(page, "semel_dead_letters_total") == 2);
  const auto code = rig.value("SELECT DISTINCT sqlstate FROM semel_dead_letters");
  CHECK(page.find("code=\"" + code + "\"} 2\n") != std::string::npos);
  CHECK(value_of(page, "semel_records_total") == 5'002);
  CHECK(value_of(page, "semel_offsets_total") ==
        static_cast<double>(rig.number("SELECT sum(until_offset) FROM semel_progress")));
  CHECK(value_of(page, "semel_epoch") ==
        static_cast<double>(rig.number("SELECT epoch FROM semel_owners")));
  CHECK(value_of(page, "semel_takes_total") == 1);
  CHECK(value_of(page, "semel_partitions_held") == 2);
  CHECK(value_of(page, "semel_total_lag_records") == 0);
  CHECK(value_of(page, "semel_caught_up") == 1);
  CHECK(value_of(page, "semel_sink_up") == 1);
  CHECK(value_of(page, "semel_source_up") == 1);
  CHECK(value_of(page, "semel_total_delay_seconds_count") == value_of(page, "semel_batches_total"));
  CHECK(value_of(page, "process_resident_memory_bytes") > 1e6);
}

TEST_CASE("a running pipeline is scraped while it works, and its lag is told by partition") {
  if (!kafka_available()) return;
  Rig rig(2);
  const auto address = http::free_address();
  rig.produce(1'000);
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(eventually([&] {
    const auto page = ask(address, "/metrics");
    return page && value_of(page->text, "semel_rows_total") == 1'000;
  }));
  CHECK(rig.rows() == 1'000);
  rig.produce(100);
  REQUIRE(eventually([&] {
    const auto page = ask(address, "/metrics");
    return page && value_of(page->text, "semel_rows_total") == 1'100 &&
           value_of(page->text, "semel_lag_records") == 0 &&
           value_of(page->text, "semel_worst_freshness_seconds") == 0;
  }));
  const auto page = ask(address, "/metrics");
  REQUIRE(page);
  CHECK(page->type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(page->text.find("semel_lag_records{pipeline=") != std::string::npos);
  CHECK(page->text.find("topic=\"" + rig.topic() + "\",partition=\"1\"} 0") != std::string::npos);
  stop(semel);
  CHECK_FALSE(ask(address, "/metrics"));
}

TEST_CASE("partitions beyond the limit have no series") {
  if (!kafka_available()) return;
  Rig rig(3);
  rig.configure("[http]\npartition_series = 1\n");
  rig.produce(30);
  const TempDir dir;
  const auto file = dir / "clicks.prom";
  rig.finish("run", {"--once", "--metrics-file", file});
  const auto page = read_file(file);
  CHECK(value_of(page, "semel_partitions_held") == 3);
  CHECK(value_of(page, "semel_partitions_left_out") == 2);
  CHECK(page.find("partition=\"0\"") != std::string::npos);
  CHECK(page.find("partition=\"1\"") == std::string::npos);
}

TEST_CASE("a file of metrics that cannot be written is said before the work") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(10);
  const auto result = rig.finish("run", {"--once", "--metrics-file", "/nowhere/clicks.prom"});
  CHECK(result.code == 2);
  CHECK(result.err.find("/nowhere/clicks.prom") != std::string::npos);
  rig.drain();
}
