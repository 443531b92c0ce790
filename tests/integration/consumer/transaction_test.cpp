// The user's own transaction in PostgreSQL: what is read is stored once, with the offsets.
#include <algorithm>
#include <atomic>
#include <thread>

#include "integration/consumer/shop.hpp"

namespace semel::test {

using namespace std::chrono_literals;

TEST_CASE("two tables of the user's and the ledger are one transaction") {
  if (!kafka_available()) return;
  Shop shop(3);
  shop.produce(5'000);
  pqxx::connection connection(shop.dsn);
  {
    auto consumer = shop.consumer([](auto& options) { options.max_records_per_range = 700; });
    drain(consumer, connection);
    CHECK(consumer.done());
    CHECK(consumer.lag() == 0);
  }
  shop.expect_exactly_once();
  // In good order: nobody need wait for it.
  CHECK(shop.value("SELECT state FROM semel_owners") == "stopped");

  shop.produce(1'000);
  auto again = shop.consumer();
  drain(again, connection);
  shop.expect_exactly_once();
  CHECK(shop.position() == 6'000);
}

TEST_CASE("a bad record is a dead letter of the user's own transaction") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce_value("1");
  shop.produce_value("it's\\ bad");
  shop.produce_value(std::nullopt);
  shop.produce_value("2");
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  const auto work = [](pqxx::work& tx, Range& range) {
    while (const auto records = range.next()) {
      for (const auto& record : *records) {
        if (record.value && record.value->size() == 1) {
          tx.exec("INSERT INTO orders VALUES (" + std::string(*record.value) + ", 0, 0)");
        } else {
          range.bad(record, "no number: it's \\ bad");
          range.bad(record, "said twice");
        }
      }
    }
  };
  // Rolled back with the transaction.
  CHECK(thrown_by([&] {
          postgres::transact<pqxx::work>(connection, take(consumer), [&](auto& tx, Range& range) {
            work(tx, range);
            throw std::runtime_error("changed my mind");
          });
        }) == "changed my mind");
  CHECK(shop.number("SELECT count(*) FROM semel_dead_letters") == 0);
  while (!consumer.done()) {
    if (auto range = consumer.next(1s)) {
      postgres::transact<pqxx::work>(connection, *std::move(range), work);
    }
  }
  CHECK(shop.orders() == 2);
  CHECK(
      shop.value("SELECT string_agg(\"offset\" || ' ' || coalesce(convert_from(value, 'UTF8'), "
                 "'null') || ' ' || reason || ' ' || convert_from(headers, 'UTF8'), '; ' ORDER BY "
                 "\"offset\") FROM semel_dead_letters") ==
      "1 it's\\ bad no number: it's \\ bad [{\"name\": \"trace\", \"value\": \"é\"}]; 2 null no "
      "number: it's \\ bad [{\"name\": \"trace\", \"value\": \"é\"}]");
  CHECK(shop.value("SELECT rows || ' ' || dead_letters FROM semel_commits WHERE kind = 'commit'") ==
        "2 2");
}

TEST_CASE("several ranges in hand are of different partitions, each with its own transaction") {
  if (!kafka_available()) return;
  Shop shop(3);
  shop.produce(300);
  auto consumer = shop.consumer([](auto& options) { options.ranges_in_hand = 3; });
  auto one = take(consumer);
  auto two = take(consumer);
  auto three = take(consumer);
  CHECK(one.offsets().tp != two.offsets().tp);
  CHECK(two.offsets().tp != three.offsets().tp);
  CHECK_FALSE(consumer.next(50ms));
  pqxx::connection first(shop.dsn);
  pqxx::connection second(shop.dsn);
  pqxx::work tx(first);
  postgres::begin(tx, one);
  insert_orders(tx, one);
  postgres::advance(tx, one);
  postgres::transact<pqxx::work>(second, std::move(two), insert_orders);
  postgres::transact<pqxx::work>(second, std::move(three), insert_orders);
  CHECK(shop.orders() == 200);
  tx.commit();
  one.committed();
  drain(consumer, second);
  shop.expect_exactly_once();
}

TEST_CASE("a role of few rights, odd settings and any isolation are enough for the transaction") {
  if (!kafka_available()) return;
  Shop shop;
  auto options = shop.options();
  options.pipeline = "our.shop_1-a";
  options.max_records_per_range = 10;
  DirectConsumer consumer(options, postgres::ledger(shop.dsn, {.schema = "the ledger"}));
  shop.produce(30);
  consumer.start();
  shop.sql(
      "CREATE ROLE clerk_" + shop.topic + " LOGIN; GRANT INSERT ON orders, audit TO clerk_" +
      shop.topic + R"sql(; GRANT USAGE ON SCHEMA "the ledger" TO clerk_)sql" + shop.topic +
      R"sql(; GRANT SELECT ON "the ledger".semel_owners TO clerk_)sql" + shop.topic +
      R"sql(; GRANT SELECT, UPDATE ON "the ledger".semel_progress TO clerk_)sql" + shop.topic +
      R"sql(; GRANT SELECT, INSERT, DELETE ON "the ledger".semel_begun TO clerk_)sql" + shop.topic +
      R"sql(; GRANT INSERT ON "the ledger".semel_commits, "the ledger".semel_dead_letters TO clerk_)sql" +
      shop.topic);
  pqxx::connection connection(shop.dsn);
  {
    pqxx::nontransaction settings(connection);
    settings.exec("SET ROLE clerk_" + shop.topic);
    settings.exec("SET standard_conforming_strings = off");
    settings.exec("SET client_encoding = LATIN1");
  }
  using serializable = pqxx::transaction<pqxx::serializable>;
  int bad = 0;
  while (!consumer.done()) {
    auto range = consumer.next(1s);
    if (!range) continue;
    postgres::transact<serializable>(connection, *std::move(range), [&](auto& tx, Range& mine) {
      while (const auto records = mine.next()) {
        mine.bad(records->front(), "\'\xff é 大");
        ++bad;
        for (const auto& record : records->subspan(1)) {
          tx.exec("INSERT INTO orders VALUES (" + std::string(*record.value) + ", 0, 0)");
        }
      }
    });
  }
  CHECK(shop.orders() == 30 - bad);
  CHECK(shop.number(R"(SELECT count(*) FROM "the ledger".semel_dead_letters)") == bad);
  CHECK(shop.value(R"(SELECT DISTINCT reason FROM "the ledger".semel_dead_letters)") ==
        "'\uFFFD é 大");
}

TEST_CASE("ranges in hand are stored by as many threads at once") {
  if (!kafka_available()) return;
  Shop shop(4);
  shop.produce(20'000);
  auto consumer = shop.consumer([](auto& options) {
    options.ranges_in_hand = 4;
    options.max_records_per_range = 500;
    options.heartbeat_ms = 100;
  });
  std::atomic<int> working{0};
  std::atomic<int> most{0};
  std::vector<std::thread> workers;
  while (!consumer.done()) {
    auto range = consumer.next(1s);
    if (!range) continue;
    workers.emplace_back([&, mine = *std::move(range)]() mutable {
      most = std::max(most.load(), ++working);
      pqxx::connection connection(shop.dsn);
      postgres::transact<pqxx::work>(connection, std::move(mine), insert_orders);
      --working;
    });
  }
  for (auto& worker : workers) worker.join();
  CHECK(most > 1);
  shop.expect_exactly_once();
}

}  // namespace semel::test
