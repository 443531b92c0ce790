// Commits whose answer is lost, servers that are away, a Kafka that lost records.
#include <poll.h>
#include <thread>

#include "integration/consumer/shop.hpp"
#include "support/hostile_postgres.hpp"
#include "support/tcp_proxy.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

TEST_CASE("a commit whose answer is lost is settled by the ledger: it happened") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  TcpProxy proxy(PostgresServer::shared().port());
  {
    pqxx::connection connection(at_port(shop.dsn, proxy.port()));
    proxy.lose(TcpProxy::Loss::reply, "COMMIT");
    postgres::transact<pqxx::work>(connection, take(consumer), insert_orders);
    CHECK(proxy.lost());
  }
  pqxx::connection connection(shop.dsn);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a commit that never arrived is settled by the ledger: it did not happen") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  TcpProxy proxy(PostgresServer::shared().port());
  {
    pqxx::connection connection(at_port(shop.dsn, proxy.port()));
    proxy.lose(TcpProxy::Loss::request, "COMMIT");
    CHECK(thrown_by([&] {
            postgres::transact<pqxx::work>(connection, take(consumer), insert_orders);
          }) != "");
    CHECK(shop.orders() == 0);
  }
  pqxx::connection connection(shop.dsn);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a ledger that cannot be asked after a commit is asked by the next next()") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  HostilePostgres proxy(PostgresServer::shared().port());
  auto options = shop.options();
  DirectConsumer consumer(options, postgres::ledger(at_port(shop.dsn, proxy.port())));
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    postgres::begin(tx, range);
    insert_orders(tx, range);
    postgres::advance(tx, range);
    tx.commit();
    // Its answers are lost from here on, for a while.
    proxy.add({.kind = PostgresFault::Kind::cut, .times = 3});
    range.committed();
  }
  drain(consumer, connection);
  CHECK(proxy.happened() > 0);
  shop.expect_exactly_once();
}

TEST_CASE(
    "a claim that nobody could check at once is checked later, and a forgotten advance found") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  HostilePostgres proxy(PostgresServer::shared().port());
  DirectConsumer consumer(shop.options(), postgres::ledger(at_port(shop.dsn, proxy.port())));
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    insert_orders(tx, range);
    tx.commit();
    proxy.add({.kind = PostgresFault::Kind::cut, .times = 3});
    range.committed();
  }
  CHECK_THAT(thrown_by([&] { drain(consumer, connection); }), Contains("without the advance"));
  CHECK(shop.orders() == 10);
}

TEST_CASE("an outage of the database ends no consumer") {
  if (!kafka_available()) return;
  Shop shop;
  PostgresServer server;
  const auto dsn = server.create_database();
  PostgresServer::execute(dsn,
                          "CREATE TABLE orders (id bigint, p int, o bigint);"
                          "CREATE TABLE audit (id bigint, at_offset bigint)");
  shop.dsn = dsn;
  shop.produce(1'000);
  auto consumer = shop.consumer([](auto& options) { options.max_records_per_range = 100; });
  auto range = std::make_optional(take(consumer));
  server.kill();
  int failures = 0;
  std::thread starts([&] {
    std::this_thread::sleep_for(1'500ms);
    server.start();
  });
  while (!consumer.done()) {
    try {
      if (!range) range = consumer.next(100ms);
      if (!range) continue;
      pqxx::connection connection(dsn);
      auto one = std::move(*range);
      range.reset();
      postgres::transact<pqxx::work>(connection, std::move(one), insert_orders);
    } catch (const pqxx::broken_connection&) {
      ++failures;
      range.reset();
    }
  }
  starts.join();
  CHECK(failures > 0);
  shop.expect_exactly_once();
}

TEST_CASE("records that are gone before they were read end the consumer, or are recorded as lost") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(100);
  pqxx::connection connection(shop.dsn);
  {
    auto consumer = shop.consumer([](auto& options) { options.max_records_per_range = 10; });
    postgres::transact<pqxx::work>(connection, take(consumer), insert_orders);
  }
  shop.kafka.delete_records(shop.topic, 0, 50);
  {
    auto consumer = shop.consumer();
    CHECK_THAT(thrown_by([&] { drain(consumer, connection); }), Contains("offset 10"));
  }
  CHECK(shop.value("SELECT state FROM semel_owners") == "failed");
  auto consumer = shop.consumer([](auto& options) { options.skip_lost = true; });
  drain(consumer, connection);
  CHECK(shop.orders() == 60);
  CHECK(shop.value("SELECT from_offset || '-' || until_offset FROM semel_commits WHERE kind = "
                   "'lost'") == "10-50");
}

TEST_CASE("an event loop is woken when there is something to do, and sleeps otherwise") {
  if (!kafka_available()) return;
  Shop shop;
  auto consumer = shop.consumer([](auto& options) {
    options.once = false;
    options.interval_ms = 200;
  });
  consumer.start();
  pqxx::connection connection(shop.dsn);
  pollfd readable{.fd = consumer.poll_fd(), .events = POLLIN, .revents = 0};
  int woken = 0;
  const auto run_until = [&](const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      if (poll(&readable, 1, 10'000) == 0) return false;
      ++woken;
      if (auto range = consumer.next(0ms)) {
        postgres::transact<pqxx::work>(connection, *std::move(range), insert_orders);
      }
    }
    return condition();
  };
  CHECK(run_until([&] { return woken > 5; }));
  shop.produce(100);
  CHECK(run_until([&] { return shop.position() == 100; }));
  // At rest it is woken about five times a second: by its timer, and by nothing that is not there.
  woken = 0;
  const auto began = std::chrono::steady_clock::now();
  CHECK(run_until([&] { return std::chrono::steady_clock::now() - began > 2s; }));
  CHECK(woken < 100);
  consumer.request_stop();
  CHECK(run_until([&] { return consumer.done(); }));
  shop.expect_exactly_once();
}

}  // namespace semel::test
