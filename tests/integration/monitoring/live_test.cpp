// Monitoring that asks all the time: while batches are many, servers are away, and the end comes.
#include <fmt/format.h>
#include <atomic>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>
#include <thread>

#include "integration/monitoring/scrape.hpp"
#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"
#include "support/sqlite_file.hpp"

using namespace semel;
using namespace semel::test;
using namespace std::chrono_literals;

namespace {

const std::string often =
    "[batch]\ninterval = \"50ms\"\n[retry]\nbackoff_min = \"10ms\"\nbackoff_max = \"100ms\"\n"
    "[timeouts]\nheartbeat = \"200ms\"\n";

/// Asks for the three pages without a pause, and notes what must never be.
class Scraper {
 public:
  explicit Scraper(http::Address address)
      : address_(std::move(address)), thread_([this] { scrape(); }) {}
  ~Scraper() { finish(); }

  /// What was wrong; nothing asked is wrong, too.
  std::vector<std::string> finish() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    if (pages_ == 0) wrong_.emplace_back("no page was seen");
    return wrong_;
  }
  int pages() const { return pages_; }

 private:
  void scrape() {
    while (!done_) {
      const auto page = ask(address_, "/metrics");
      if (!page || page->status != 200) {
        wrong_.emplace_back("/metrics did not answer");
        continue;
      }
      look_at(page->text);
      ++pages_;
      if (!answers(address_, "/healthz", 200)) wrong_.emplace_back("/healthz is not 200");
      const auto ready = ask(address_, "/readyz");
      if (!ready || ready->status != 200) {
        wrong_.push_back("/readyz: " + (ready ? ready->text : "no answer"));
      }
    }
  }

  void look_at(const std::string& page) {
    if (!page.ends_with('\n')) wrong_.emplace_back("half a page");
    for (const auto* counter :
         {"semel_records_total", "semel_rows_total", "semel_bytes_total", "semel_offsets_total",
          "semel_batches_total", "semel_read_records_total", "semel_commit_seconds_count",
          "semel_total_delay_seconds_count", "process_cpu_seconds_total"}) {
      const auto value = value_of(page, counter);
      if (!value) {
        wrong_.push_back(std::string(counter) + " is missing");
      } else if (auto& before = last_[counter]; *value < before) {
        wrong_.push_back(fmt::format("{} fell from {} to {}", counter, before, *value));
      } else {
        before = *value;
      }
    }
  }

  http::Address address_;
  std::atomic<bool> done_{false};
  std::atomic<int> pages_{0};
  std::map<std::string, double> last_;
  std::vector<std::string> wrong_;
  std::thread thread_;
};

bool metric_becomes(const http::Address& address, const std::string& metric, double wanted) {
  return eventually([&] {
    const auto page = ask(address, "/metrics");
    return page && value_of(page->text, metric) == wanted;
  });
}

nlohmann::json readiness(const http::Address& address) {
  const auto page = ask(address, "/readyz");
  REQUIRE(page);
  return nlohmann::json::parse(page->text);
}

void expect_good_end(Process& semel) {
  const auto ended = semel.wait(60s);
  INFO(semel.err());
  REQUIRE(ended);
  CHECK(ended->code == 0);
}

}  // namespace

TEST_CASE("asked all the time while twenty batches a second run, no counter falls or is wrong") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(often);
  rig.produce(100);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(metric_becomes(address, "semel_rows_total", 100));
  {
    Scraper one(address);
    Scraper two(address);
    for (int i = 0; i < 100; ++i) {
      rig.produce(40);
      std::this_thread::sleep_for(50ms);
    }
    CHECK(metric_becomes(address, "semel_rows_total", 4'100));
    CHECK(one.finish() == std::vector<std::string>{});
    CHECK(two.finish() == std::vector<std::string>{});
  }
  const auto page = ask(address, "/metrics");
  REQUIRE(page);
  const auto counted = [&](const char* name) { return value_of(page->text, name).value_or(-1); };
  CHECK(counted("semel_records_total") == static_cast<double>(rig.rows()));
  CHECK(counted("semel_batches_total") ==
        static_cast<double>(rig.number("SELECT count(DISTINCT batch_time) FROM semel_commits WHERE "
                                       "kind = 'commit'")));
  CHECK(counted("semel_batches_total") > 20);
  semel.signal(SIGTERM);
  expect_good_end(semel);
  rig.expect_exactly_once();
}

TEST_CASE("while the sink is away, pages say since when and how much waits, and nothing is lost") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(often);
  rig.produce(100);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(metric_becomes(address, "semel_rows_total", 100));
  auto& postgres = PostgresServer::shared();
  postgres.kill();
  rig.produce(50);
  const bool away = metric_becomes(address, "semel_sink_up", 0);
  const bool waits = metric_becomes(address, "semel_total_lag_records", 50);
  const bool ages = eventually([&] {
    const auto page = ask(address, "/metrics");
    return page && value_of(page->text, "semel_worst_freshness_seconds").value_or(0) > 0;
  });
  const auto page = ask(address, "/metrics");
  const auto json = readiness(address);
  const bool healthy = answers(address, "/healthz", 200);
  postgres.start();
  CHECK(away);
  CHECK(waits);
  CHECK(ages);
  REQUIRE(page);
  CHECK(value_of(page->text, "semel_rows_total") == 100);
  CHECK(value_of(page->text, "semel_source_up") == 1);
  CHECK(value_of(page->text, "semel_caught_up") == 0);
  CHECK(json["ready"] == false);
  CHECK(json["outputs"][0]["sink_up"] == false);
  CHECK(json["outputs"][0]["source_up"] == true);
  CHECK(healthy);
  CHECK(metric_becomes(address, "semel_rows_total", 150));
  CHECK(metric_becomes(address, "semel_sink_up", 1));
  CHECK(metric_becomes(address, "semel_worst_freshness_seconds", 0));
  CHECK(eventually([&] { return answers(address, "/readyz", 200); }));
  semel.signal(SIGTERM);
  expect_good_end(semel);
  rig.expect_exactly_once();
}

TEST_CASE("while it stops it says so, and is alive") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(often);
  rig.produce(100);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(metric_becomes(address, "semel_rows_total", 100));
  CHECK(eventually([&] { return answers(address, "/readyz", 200); }));
  // Somebody's lock, so that a range is begun and cannot end.
  pqxx::connection somebody(rig.dsn());
  pqxx::work lock(somebody);
  lock.exec("LOCK TABLE events IN EXCLUSIVE MODE");
  rig.produce(10);
  REQUIRE(eventually(
      [&] { return rig.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
  semel.signal(SIGTERM);
  // At the same time: a range that cannot end is given up in the end.
  CHECK(eventually([&] {
    const auto page = ask(address, "/readyz");
    return page && page->status == 503 && page->text.find("it is stopping") != std::string::npos &&
           answers(address, "/healthz", 200) && answers(address, "/metrics", 200);
  }));
  lock.abort();
  expect_good_end(semel);
  CHECK_FALSE(ask(address, "/healthz"));
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("two outputs of one process are told apart on one page") {
  if (!kafka_available()) return;
  Rig rig(2);
  const SqliteFile file(
      "CREATE TABLE events (id INTEGER NOT NULL CHECK (id <> 7), name TEXT, amount REAL, "
      "p INTEGER, o INTEGER)");
  rig.configure(
      fmt::format("[sink.sqlite]\nfile = \"{}\"\ntable = \"events\"\noutput = \"archive\"\n"
                  "columns = {{ p = \"@partition\", o = \"@offset\" }}\n{}",
                  file.path(), often));
  rig.produce(100);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(metric_becomes(address, "semel_records_total", 200));
  const auto page = ask(address, "/metrics");
  REQUIRE(page);
  const auto rows_of = [&](const std::string& output) {
    const auto line =
        "semel_rows_total{pipeline=\"" + rig.topic() + "\",output=\"" + output + "\"} ";
    const auto at = page->text.find(line);
    INFO(page->text);
    REQUIRE(at != std::string::npos);
    return std::stoll(page->text.substr(at + line.size()));
  };
  CHECK(rows_of("default") == rig.rows());
  CHECK(rows_of("archive") == file.number("SELECT count(*) FROM events"));
  CHECK(rows_of("archive") == 99);
  CHECK(value_of(page->text, "semel_dead_letters_total") == 1);
  const auto code = file.value("SELECT code FROM semel_dead_letters");
  CHECK(page->text.find("output=\"archive\",code=\"" + code + "\"} 1\n") != std::string::npos);
  const auto first = page->text.find("# TYPE semel_rows_total ");
  CHECK(page->text.find("# TYPE semel_rows_total ", first + 1) == std::string::npos);

  // One of them stands still: the other works on, and the pages say which is which.
  auto& postgres = PostgresServer::shared();
  postgres.freeze();
  rig.produce(100);
  const bool works = metric_becomes(address, "semel_rows_total", 299);
  const bool noticed = eventually([&] { return answers(address, "/readyz", 503); });
  const auto json = readiness(address);
  const bool healthy = answers(address, "/healthz", 200);
  postgres.thaw();
  CHECK(works);
  CHECK(noticed);
  CHECK(healthy);
  REQUIRE(json["outputs"].size() == 2);
  CHECK(json["outputs"][0]["output"] == "default");
  CHECK(json["outputs"][0]["ready"] == false);
  CHECK(json["outputs"][1]["output"] == "archive");
  CHECK(json["outputs"][1]["ready"] == true);
  CHECK(json["ready"] == false);
  CHECK(metric_becomes(address, "semel_rows_total", 399));
  semel.signal(SIGTERM);
  expect_good_end(semel);
}
