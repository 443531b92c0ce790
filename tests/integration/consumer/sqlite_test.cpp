// The user's own transaction in a file of SQLite.
#include <semel/sqlite.hpp>

#include "integration/consumer/own_file.hpp"
#include "integration/consumer/shop.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

void expect_once(const OwnFile& file, int count) {
  CHECK(file.number("SELECT count(*) FROM orders") == count);
  CHECK(file.number("SELECT count(DISTINCT id) FROM orders") == count);
  CHECK(file.number("SELECT sum(until_offset) FROM semel_progress") == count);
  CHECK(file.number("SELECT sum(rows) FROM semel_commits") == count);
}

}  // namespace

TEST_CASE("rows in a file of SQLite and the ledger are one transaction of the user's") {
  if (!kafka_available()) return;
  Shop shop(3);
  OwnFile file;
  shop.produce(5'000);
  const auto make = [&] {
    auto options = shop.options();
    options.max_records_per_range = 700;
    return DirectConsumer(options, sqlite::ledger(file.path));
  };
  {
    auto consumer = make();
    drain_into_file(consumer, file.handle);
  }
  expect_once(file, 5'000);
  CHECK(file.value("SELECT state FROM semel_owners") == "stopped");
  shop.produce(1'000);
  auto again = make();
  drain_into_file(again, file.handle);
  expect_once(file, 6'000);
}

TEST_CASE("a bad record is a dead letter in the file") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce_value("1");
  shop.produce_value(std::string("b\0d 'x'", 7));
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  sqlite::transact(file.handle, take(consumer), [](sqlite3*, Range& range) {
    while (const auto records = range.next()) range.bad(records->back(), "it's bad");
  });
  CHECK(file.value("SELECT \"offset\", hex(value), reason, headers FROM semel_dead_letters") ==
        "1|62006420277827|it's bad|[{\"name\": \"trace\", \"value\": \"é\"}]");
  CHECK(file.value("SELECT rows, dead_letters FROM semel_commits WHERE kind = 'commit'") == "1|1");
}

TEST_CASE("an advance that does not fit rolls the user's transaction back, looked at or not") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  DirectConsumer first(shop.options(), sqlite::ledger(file.path));
  auto range = take(first);
  SECTION("twice") {
    REQUIRE(file.run("BEGIN IMMEDIATE") == SQLITE_OK);
    sqlite::begin(file.handle, range);
    insert_into_file(file.handle, range);
    sqlite::advance(file.handle, range);
    CHECK_THAT(thrown_by([&] { sqlite::advance(file.handle, range); }),
               Contains("refuses to move") && Contains("[0, 10)"));
    CHECK(file.run("COMMIT") != SQLITE_OK);
    { Range gone(std::move(range)); }
    drain_into_file(first, file.handle);
  }
  SECTION("by an owner that was taken over from") {
    DirectConsumer second(shop.options(), sqlite::ledger(file.path));
    auto same = take(second);
    REQUIRE(file.run("BEGIN IMMEDIATE") == SQLITE_OK);
    insert_into_file(file.handle, range);
    CHECK(file.run(sqlite::begin_sql(range)) != SQLITE_OK);
    REQUIRE(file.run("BEGIN IMMEDIATE") == SQLITE_OK);
    insert_into_file(file.handle, range);
    CHECK(file.run(sqlite::advance_sql(range)) != SQLITE_OK);
    CHECK(file.run("COMMIT") != SQLITE_OK);
    CHECK(file.number("SELECT count(*) FROM orders") == 0);
    sqlite::transact(file.handle, std::move(same), insert_into_file);
    drain_into_file(second, file.handle);
  }
  expect_once(file, 10);
}

TEST_CASE("a commit into the file without the advance is told at once") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  auto range = take(consumer);
  REQUIRE(file.run("BEGIN IMMEDIATE") == SQLITE_OK);
  insert_into_file(file.handle, range);
  REQUIRE(file.run("COMMIT") == SQLITE_OK);
  CHECK_THAT(thrown_by([&] { range.committed(); }), Contains("without the advance"));
}

TEST_CASE("an advance without a transaction is refused before it moves anything") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  {
    auto range = take(consumer);
    CHECK_THAT(thrown_by([&] { sqlite::begin(file.handle, range); }),
               Contains("was BEGIN forgotten"));
    while (range.next()) {
    }
    CHECK_THAT(thrown_by([&] { sqlite::advance(file.handle, range); }),
               Contains("was BEGIN forgotten"));
  }
  drain_into_file(consumer, file.handle);
  expect_once(file, 10);
}

TEST_CASE("what a function throws inside a transaction of SQLite's rolls it back") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  CHECK(thrown_by([&] {
          sqlite::transact(file.handle, take(consumer), [](sqlite3* connection, Range& range) {
            insert_into_file(connection, range);
            throw std::runtime_error("of the user's");
          });
        }) == "of the user's");
  CHECK(sqlite3_get_autocommit(file.handle) == 1);
  drain_into_file(consumer, file.handle);
  expect_once(file, 10);
}

TEST_CASE("a heartbeat that is due while the user writes waits for no lock of his own") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  auto options = shop.options();
  options.heartbeat_ms = 100;
  // Long enough to be noticed.
  DirectConsumer consumer(options, sqlite::ledger(file.path, {.busy_timeout_ms = 600'000}));
  sqlite::transact(file.handle, take(consumer), [](sqlite3* connection, Range& range) {
    sqlite3_exec(connection, "INSERT INTO orders VALUES (-1, -1)", nullptr, nullptr, nullptr);
    std::this_thread::sleep_for(300ms);
    insert_into_file(connection, range);
    sqlite3_exec(connection, "DELETE FROM orders WHERE id = -1", nullptr, nullptr, nullptr);
  });
  drain_into_file(consumer, file.handle);
  expect_once(file, 10);
}

TEST_CASE("texts of one store are none for the ledger of another") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(1);
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  auto range = take(consumer);
  range.next();
  CHECK_THAT(thrown_by([&] { postgres::advance_sql(range); }), Contains("none of PostgreSQL"));
  auto other = shop.consumer();
  auto second = take(other);
  CHECK_THAT(thrown_by([&] { sqlite::advance_sql(second); }), Contains("none of SQLite"));
}

}  // namespace semel::test
