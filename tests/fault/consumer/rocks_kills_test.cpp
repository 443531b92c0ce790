// The example of an own transaction in RocksDB, killed under load. What is in the database is read
// by `ldb`, which comes with RocksDB. SEMEL_KILL_CYCLES: how often.
#include <signal.h>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "fault/small_disk.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr int rocks_partitions = 4;

/// Payments of ten customers into a database of RocksDB: amounts are 0, 1, 2, …
class RocksPayments {
 public:
  RocksPayments() { KafkaServer::shared().create_topic(topic, rocks_partitions); }

  void produce(int count) {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (int i = 0; i < count; ++i, ++produced) {
      producer.produce(topic, static_cast<int>(produced % rocks_partitions),
                       "customer-" + std::to_string(produced % 10), std::to_string(produced));
    }
    producer.flush();
  }
  Process start(bool once = false) const {
    ProcessOptions options{
        .argv = {SEMEL_ROCKS_EXAMPLE, KafkaServer::shared().bootstrap_servers(), topic, directory}};
    if (once) options.argv.push_back("once");
    return Process(std::move(options));
  }
  /// Key and value of all rows, while somebody writes or nobody does.
  std::map<std::string, std::string> rows(const std::string& family) const {
    std::map<std::string, std::string> found;
    std::istringstream lines(
        run({.argv = {"ldb", "--db=" + directory, "--column_family=" + family, "scan"}}).out);
    for (std::string line; std::getline(lines, line);) {
      const auto at = line.find(" : ");
      found[line.substr(0, at)] = line.substr(at + 3);
    }
    return found;
  }
  /// A number of each row of the ledger's table, summed up.
  std::int64_t sum(const std::string& table, const std::string& field) const {
    std::int64_t all = 0;
    for (const auto& [key, value] : rows("semel")) {
      if (!key.starts_with(table + " payments ")) continue;
      all += std::stoll(value.substr(value.find("\"" + field + "\":") + field.size() + 3));
    }
    return all;
  }
  /// What `semel verify` prints, which reads a program's ledger as it reads a sink's.
  std::string verified() const {
    write_file(dir / "pipeline.toml", "name = \"payments\"\n[source.kafka]\nbrokers = \"" +
                                          KafkaServer::shared().bootstrap_servers() +
                                          "\"\ntopics = [\"" + topic +
                                          "\"]\n[sink.rocksdb]\ndirectory = \"" + directory +
                                          "\"\noutput = \"default\"\ntable = \"payments\"\n");
    const auto said = run({.argv = {SEMEL_BINARY, "verify", dir / "pipeline.toml"}});
    return said.out + said.err;
  }

  void expect_once() const {
    const auto n = produced;
    const auto stored = rows("payments");
    CHECK(static_cast<std::int64_t>(stored.size()) == n);
    std::int64_t all = 0;
    for (const auto& [key, value] : stored) all += std::stoll(value.substr(value.find(' ')));
    CHECK(all == n * (n - 1) / 2);
    // What would be counted twice, or not at all, is in no row of its own.
    std::int64_t balances = 0;
    for (const auto& [customer, balance] : rows("balances")) balances += std::stoll(balance);
    CHECK(balances == n * (n - 1) / 2);
    CHECK(sum("semel_progress", "until_offset") == n);
    CHECK(sum("semel_commits", "rows") == n);
    CHECK_THAT(verified(), Catch::Contains("Proven: no gap and no overlap in 4 partitions"));
  }

  TempDir dir{"semel-rocks-payments"};
  std::string directory = dir / "shop.rocks";
  std::string topic = unique_name("payments");
  std::int64_t produced = 0;
};

}  // namespace

TEST_CASE("an own transaction in RocksDB loses and doubles nothing, whenever it is killed") {
  if (!kafka_available()) return;
  RocksPayments payments;
  payments.produce(2'000);
  payments.start(true).wait(1min);

  std::atomic<bool> done{false};
  std::thread load([&] {
    while (!done) {
      payments.produce(100);
      std::this_thread::sleep_for(20ms);
    }
  });
  std::mt19937 random(20261126);
  const auto* wanted = std::getenv("SEMEL_KILL_CYCLES");
  const int kills = wanted == nullptr ? 16 : std::stoi(wanted);
  for (int i = 0; i < kills; ++i) {
    auto consumer = payments.start();
    const auto before = payments.sum("semel_progress", "until_offset");
    if (i % 2 == 0) {
      CHECK(eventually([&] { return payments.sum("semel_progress", "until_offset") > before; }));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200'000));
    INFO(consumer.err());
    CHECK(consumer.running());
    consumer.kill();
  }
  done = true;
  load.join();
  {
    // A frozen one keeps the database: who comes second is told so, and has done nothing.
    auto frozen = payments.start();
    const auto before = payments.sum("semel_owners", "epoch");
    CHECK(eventually([&] { return payments.sum("semel_owners", "epoch") > before; }));
    frozen.signal(SIGSTOP);
    auto second = payments.start(true);
    const auto end = second.wait(1min);
    REQUIRE(end);
    CHECK(end->code == 1);
    CHECK_THAT(second.err(), Catch::Contains("LOCK"));
    frozen.signal(SIGCONT);
    frozen.kill();
  }
  auto last = payments.start(true);
  const auto end = last.wait(2min);
  REQUIRE(end);
  INFO(last.err());
  CHECK(end->code == 0);

  WARN(payments.produced << " records, " << kills << " kills");
  payments.expect_once();
}

TEST_CASE("a full disk ends an own transaction in RocksDB, and a start behind it loses nothing") {
  if (!kafka_available()) return;
  SmallDisk disk(48);
  if (skip(disk)) return;
  RocksPayments payments;
  payments.directory = disk.path() + "/shop.rocks";
  payments.produce(400);
  // With and without the database open when the disk is full.
  const bool open = GENERATE(true, false);
  auto full = payments.start(!open);
  CHECK(eventually([&] { return payments.sum("semel_progress", "until_offset") == 400; }));
  if (!open) CHECK(full.wait(1min)->code == 0);
  disk.fill();
  payments.produce(40'000);
  if (!open) full = payments.start(true);
  const auto ended = full.wait(2min);
  REQUIRE(ended);
  INFO(full.err());
  CHECK(ended->code != 0);
  disk.make_room();
  CHECK(payments.start(true).wait(2min)->code == 0);
  payments.expect_once();
}
