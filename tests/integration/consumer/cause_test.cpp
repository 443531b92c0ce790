// Whose an error is: what a program did is told apart from what semel met, and from a bug in semel.
#include <fmt/format.h>
#include <semel/sqlite.hpp>
#include <stdexcept>

#include "integration/consumer/own_file.hpp"
#include "integration/consumer/shop.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// The end of a consumer whose ranges are each given to `store`, whatever that throws.
Cause cause_of_the_end(DirectConsumer& consumer, const std::function<void(Range)>& store) {
  return cause_of([&] {
    while (!consumer.done()) {
      auto range = consumer.next(1s);
      if (!range) continue;
      try {
        store(*std::move(range));
      } catch (const std::exception&) {  // as a program does that goes on
      }
    }
  });
}

}  // namespace

TEST_CASE("what a program does to its transactions is the program's, and no bug in semel") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer([](auto& options) { options.max_failures = 2; });
  pqxx::connection connection(shop.dsn);
  std::function<void(Range)> store;
  SECTION("commits with neither begin_sql nor the advance") {
    store = [&](Range range) {
      pqxx::work tx(connection);
      insert_orders(tx, range);
      tx.commit();
      range.committed();
    };
  }
  SECTION("and says nothing") {
    store = [&](Range range) {
      pqxx::work tx(connection);
      insert_orders(tx, range);
      tx.commit();
    };
  }
  SECTION("commits without the advance, and settles what the server refused") {
    store = [&](Range range) {
      pqxx::work tx(connection);
      postgres::begin(tx, range);
      insert_orders(tx, range);
      try {
        tx.commit();
      } catch (const std::exception&) {
        CHECK_FALSE(range.settle());
      }
    };
  }
  SECTION("throws, each time") {
    store = [&](Range range) {
      postgres::transact<pqxx::work>(connection, std::move(range), [](pqxx::work&, Range&) {
        throw std::runtime_error("of the program's");
      });
    };
  }
  SECTION("lets each range go") {
    store = [](const Range&) {};
  }
  SECTION("says that it failed, each time") {
    store = [](Range range) { range.failed("of the program's"); };
  }
  CHECK(cause_of_the_end(consumer, store) == Cause::program);
}

TEST_CASE("a call that cannot be is the program's, and no bug in semel") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  auto range = take(consumer);
  CHECK(cause_of([&] { range.bad(Record{.offset = 1'000}, "no good"); }) == Cause::program);
  CHECK(cause_of([&] { postgres::advance_sql(range); }) == Cause::program);
  range.failed("of the program's");
  CHECK(cause_of([&] { range.committed(); }) == Cause::program);
  const auto moved = std::move(consumer);
  CHECK(cause_of([&] { consumer.next(0ms); }) == Cause::program);  // NOLINT
}

TEST_CASE("rows of SQLite's without a position are the program's, also at the next start") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  const auto store = [&](const Range& range) {
    file.run("BEGIN IMMEDIATE");
    sqlite::begin(file.handle, range);
    file.run("INSERT INTO orders VALUES (0, 0)");
    file.run("COMMIT");
  };
  for (int start = 0; start < 2; ++start) {
    DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
    CHECK(cause_of_the_end(consumer, store) == Cause::program);
  }
}

TEST_CASE("what semel meets in the store of a program's stays the store's") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  auto options = shop.options();
  options.max_failures = 2;
  DirectConsumer consumer(options, sqlite::ledger(file.path));
  OwnFile other;
  // There is no ledger in that file.
  CHECK(cause_of_the_end(consumer, [&](Range range) {
          sqlite::transact(other.handle, std::move(range), insert_into_file);
        }) == Cause::sink);
}

TEST_CASE("why a transaction of SQLite's could not begin is told with the range") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  auto options = shop.options();
  std::vector<std::string> log;
  options.log = [&](LogLevel, std::string_view line) { log.emplace_back(line); };
  DirectConsumer consumer(options, sqlite::ledger(file.path));
  file.run("BEGIN");
  CHECK_THAT(thrown_by([&] { sqlite::transact(file.handle, take(consumer), insert_into_file); }),
             Contains("within a transaction"));
  // It is the program's own still.
  CHECK(sqlite3_get_autocommit(file.handle) == 0);
  file.run("ROLLBACK");
  drain_into_file(consumer, file.handle);
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
  CHECK_THAT(fmt::format("{}", fmt::join(log, "\n")), Contains("within a transaction"));
}

}  // namespace semel::test
