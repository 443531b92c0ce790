// The examples of an own transaction, as a user builds and runs them.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/data/embedded_broker.hpp"
#include "integration/embed/installed.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// A broker with a topic of payments (1, 2, 3, … of three customers), and a database.
struct Shop {
  std::unique_ptr<kafka::EmbeddedBroker> broker = kafka::EmbeddedBroker::start().value();
  std::string dsn = PostgresServer::shared().create_database();

  explicit Shop(const std::string& tables) {
    PostgresServer::execute(dsn, tables);
    broker->create_topic("payments", 2).value();
    produce(0, 90);
  }
  void produce(int from, int until) const {
    KafkaProducer producer(broker->bootstrap_servers());
    for (int i = from; i < until; ++i) {
      producer.produce("payments", i % 2, "c" + std::to_string(i % 3), std::to_string(i));
    }
    producer.flush();
  }
  std::vector<std::string> arguments(bool once = true) const {
    std::vector<std::string> all{broker->bootstrap_servers(), "payments", dsn};
    if (once) all.emplace_back("once");
    return all;
  }
  std::string value(const std::string& query) const { return PostgresServer::value(dsn, query); }
};

const std::string one_table =
    "CREATE TABLE payments (customer text, amount bigint, p int, o bigint)";
const std::string all_payments =
    "SELECT count(*) || ' ' || sum(amount::bigint) || ' ' || count(DISTINCT customer) FROM "
    "payments";

const ExampleTest own_transaction_pqxx("own_transaction_pqxx");
const ExampleTest own_transaction_libpq("own_transaction_libpq");
const ExampleTest own_transaction_rocksdb("own_transaction_rocksdb");
const ExampleTest event_loop("event_loop");

}  // namespace

TEST_CASE("example own_transaction_pqxx counts each payment once, over two runs") {
  const auto way = GENERATE(from_range(Installed::ways("own_transaction_pqxx")));
  const Shop shop(
      "CREATE TABLE payments (customer text, amount bigint, p int, o bigint);"
      "CREATE TABLE balances (customer text PRIMARY KEY, amount bigint NOT NULL)");
  KafkaProducer producer(shop.broker->bootstrap_servers());
  producer.produce("payments", 0, "c0", "a lot");
  producer.flush();
  const auto run = [&] {
    succeed(Installed::shared().example("own_transaction_pqxx", way, shop.arguments()));
  };
  run();
  shop.produce(90, 120);
  run();
  CHECK(shop.value(all_payments) == "120 7140 3");
  CHECK(shop.value("SELECT string_agg(customer || '=' || amount, ' ' ORDER BY customer) FROM "
                   "balances") == "c0=2340 c1=2380 c2=2420");
  CHECK(shop.value("SELECT convert_from(value, 'UTF8') || ': ' || reason FROM "
                   "semel_dead_letters") == "a lot: the value is no whole number");
}

TEST_CASE("example own_transaction_libpq copies each payment once, over two runs") {
  const auto way = GENERATE(from_range(Installed::ways("own_transaction_libpq")));
  const Shop shop(one_table);
  KafkaProducer producer(shop.broker->bootstrap_servers());
  producer.produce("payments", 0, "c0", "a lot");
  producer.flush();
  const auto run = [&] {
    succeed(Installed::shared().example("own_transaction_libpq", way, shop.arguments()));
  };
  run();
  shop.produce(90, 120);
  run();
  CHECK(shop.value(all_payments) == "120 7140 3");
  CHECK(shop.value("SELECT convert_from(value, 'UTF8') FROM semel_dead_letters") == "a lot");
}

TEST_CASE("example own_transaction_rocksdb counts each payment once, over two runs") {
  const auto way = GENERATE(from_range(Installed::ways("own_transaction_rocksdb")));
  const Shop shop(one_table);
  KafkaProducer producer(shop.broker->bootstrap_servers());
  producer.produce("payments", 0, "c0", "a lot");
  producer.flush();
  const TempDir dir;
  const auto directory = dir / "shop.rocks";
  const auto run_example = [&] {
    succeed(Installed::shared().example(
        "own_transaction_rocksdb", way,
        {shop.broker->bootstrap_servers(), "payments", directory, "once"}));
  };
  const auto scan = [&](const std::string& family) {
    return succeed({.argv = {"ldb", "--db=" + directory, "--column_family=" + family, "scan"}});
  };
  run_example();
  shop.produce(90, 120);
  run_example();
  CHECK(scan("balances") == "c0 : 2340\nc1 : 2380\nc2 : 2420\n");
  const auto rows = scan("payments");
  CHECK(std::count(rows.begin(), rows.end(), '\n') == 120);
  const auto ledger = scan("semel");
  CHECK_THAT(ledger, Catch::Contains("\"value\":\"a lot\"") &&
                         Catch::Contains("\"reason\":\"the value is no whole number\""));
}

TEST_CASE("example event_loop answers while it waits for records, and stops when it is told") {
  const Shop shop(one_table);
  auto options = Installed::shared().example("event_loop", Way::pkg_config, shop.arguments(false));
  // It reads the commands at any time: here, when all is stored, since its input is a pipe's.
  const TempDir dir;
  const auto pipe = dir / "commands";
  REQUIRE(run({.argv = {"mkfifo", pipe}}).code == 0);
  std::string command = "exec";
  for (const auto& word : options.argv) command += " '" + word + "'";
  // The shell's own end keeps the pipe open until all has been said.
  options.argv = {"sh", "-c", command + " <> " + pipe};
  Process loop(std::move(options));
  REQUIRE(eventually([&] { return shop.value("SELECT count(*) FROM payments") == "90"; }));
  CHECK(run({.argv = {"sh", "-c", "echo lag > " + pipe}}).code == 0);
  CHECK(eventually([&] { return loop.out().find('\n') != std::string::npos; }));
  shop.produce(90, 120);
  CHECK(eventually([&] { return shop.value("SELECT count(*) FROM payments") == "120"; }));
  CHECK(run({.argv = {"sh", "-c", "echo quit > " + pipe}}).code == 0);
  const auto ended = loop.wait(std::chrono::minutes(1));
  REQUIRE(ended);
  INFO(loop.err());
  CHECK(ended->code == 0);
  CHECK(shop.value(all_payments) == "120 7140 3");
  CHECK(shop.value("SELECT state FROM semel_owners") == "stopped");
}

TEST_CASE("what the guide of own transactions shows is in the examples, word for word") {
  const std::filesystem::path root = SEMEL_SOURCE_ROOT;
  std::string examples;
  for (const auto* name :
       {"own_transaction_pqxx", "own_transaction_libpq", "own_transaction_rocksdb", "event_loop"}) {
    examples += read_file((root / "examples" / name).string() + ".cpp");
  }
  const auto page = read_file((root / "docs/guides/own-transaction.md").string());
  const std::string opening = "```cpp\n";
  int shown = 0;
  for (auto at = page.find(opening); at != std::string::npos; at = page.find(opening, at)) {
    at += opening.size();
    CHECK_THAT(examples, Catch::Contains(page.substr(at, page.find("```", at) - at)));
    ++shown;
  }
  CHECK(shown >= 5);
}

TEST_CASE("a view that is kept for too long reads freed memory, and a sanitizer says so") {
  // Instrumented as a whole, the library can be in no program with another sanitizer.
  if (!Installed::sanitizer_flags().empty()) return;
  const Shop shop(one_table);
  const TempDir dir;
  write_file(dir.path() / "kept.cpp", R"cpp(
#include <semel/consumer.hpp>
#include <semel/postgres.hpp>
#include <iostream>

    int main(int, char** argv) {
      semel::ConsumerOptions options{.pipeline = "kept", .brokers = argv[1], .topics = {argv[2]}};
      std::string_view kept;
      {
        semel::DirectConsumer consumer(options, semel::postgres::ledger(argv[3]));
        auto range = consumer.next(std::chrono::minutes(1));
        while (const auto records = range->next()) kept = *records->front().value;
      }
      std::cout << kept << std::endl;
    }
  )cpp");
  const auto program = dir / "kept";
  auto environment = Installed::shared().environment();
  const auto compiled =
      run({.argv = {"sh", "-c",
                    "$CXX -std=c++20 -g -fsanitize=address " + (dir / "kept.cpp") +
                        " $(pkg-config --cflags --libs semel) -Wl,-rpath," +
                        Installed::shared().library().parent_path().string() + " -o " + program},
           .env = environment});
  INFO(compiled.err);
  REQUIRE(compiled.code == 0);
  auto arguments = shop.arguments(false);
  arguments.insert(arguments.begin(), program);
  const auto result = run({.argv = arguments, .env = {{"ASAN_OPTIONS", "detect_leaks=0"}}});
  CHECK(result.code != 0);
  CHECK_THAT(result.err, Catch::Contains("heap-use-after-free"));
}
