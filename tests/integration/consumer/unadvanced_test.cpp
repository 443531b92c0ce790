// A transaction that is committed without the advance: its rows would have no position.
#include <fmt/format.h>
#include <semel/sqlite.hpp>

#include "integration/consumer/own_file.hpp"
#include "integration/consumer/shop.hpp"
#include "sqlite/options.hpp"
#include "sqlite/sqlite.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// What a program writes that commits as it always did.
void insert_and_commit(pqxx::work& tx, Range& range) {
  insert_orders(tx, range);
  tx.commit();
}

/// Until the consumer has ended; each range by `store`, whatever that throws. The last error.
std::string run_to_the_end(DirectConsumer& consumer, const std::function<void(Range)>& store) {
  return thrown_by([&] {
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

/// Records are in the tables, and what refuses a COMMIT is not in the ledger.
void move_with_a_ledger_of_before(Shop& shop, pqxx::connection& connection) {
  shop.produce(10);
  {
    auto consumer = shop.consumer();
    drain(consumer, connection);
  }
  shop.sql("DROP TABLE semel_begun");
}

/// Stores the rows of one range, and not where that leaves the partition.
void commit_unadvanced(const Shop& shop, OwnFile& file) {
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  auto range = take(consumer);
  file.run("BEGIN IMMEDIATE");
  sqlite::begin(file.handle, range);
  insert_into_file(file.handle, range);
  file.run("COMMIT");
}

}  // namespace

TEST_CASE("PostgreSQL refuses a COMMIT without the advance, whoever says what of it") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer([](auto& options) { options.max_failures = 3; });
  pqxx::connection connection(shop.dsn);
  const auto by_hand = GENERATE(true, false);
  int tries = 0;
  const auto error = run_to_the_end(consumer, [&](Range range) {
    ++tries;
    if (!by_hand) {
      return postgres::transact<pqxx::work>(connection, std::move(range), insert_and_commit);
    }
    pqxx::work tx(connection);
    postgres::begin(tx, range);
    try {
      insert_and_commit(tx, range);
    } catch (const std::exception&) {
      range.failed();
      throw;
    }
  });
  CHECK(tries == 3);
  CHECK(shop.orders() == 0);
  CHECK(shop.number("SELECT count(*) FROM audit") == 0);
  CHECK(shop.number("SELECT count(*) FROM semel_begun") == 0);
  CHECK_THAT(error, Contains("semel refuses the COMMIT of " + shop.topic + "[0] [0, 10)") &&
                        Contains("advance_sql() of this range was not run in its transaction") &&
                        Contains("gave up after 3 failures"));
  auto again = shop.consumer();
  drain(again, connection);
  shop.expect_exactly_once();
}

TEST_CASE("an advance that was rolled back to a savepoint is none, and COMMIT is refused") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    postgres::begin(tx, range);
    insert_orders(tx, range);
    tx.exec("SAVEPOINT mine");
    postgres::advance(tx, range);
    tx.exec("ROLLBACK TO SAVEPOINT mine");
    CHECK_THAT(thrown_by([&] { tx.commit(); }), Contains("semel refuses the COMMIT"));
  }
  CHECK(shop.orders() == 0);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("where constraints are off, a transaction is refused before it stores anything") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    tx.exec("SET LOCAL session_replication_role = replica");
    CHECK_THAT(thrown_by([&] { postgres::begin(tx, range); }),
               Contains("session_replication_role is replica"));
  }
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("parallel transactions of the strictest isolation do not meet in what they began") {
  if (!kafka_available()) return;
  Shop shop(2);
  shop.produce(20);
  auto consumer = shop.consumer([](auto& options) { options.ranges_in_hand = 2; });
  pqxx::connection first(shop.dsn);
  pqxx::connection second(shop.dsn);
  auto one = take(consumer);
  auto other = take(consumer);
  {
    pqxx::work a(first);
    pqxx::work b(second);
    for (auto* tx : {&a, &b}) tx->exec("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
    const std::initializer_list<std::pair<pqxx::work*, Range*>> both{{&a, &one}, {&b, &other}};
    for (const auto& [tx, range] : both) postgres::begin(*tx, *range);
    for (const auto& [tx, range] : both) {
      insert_orders(*tx, *range);
      // Nothing of the ledger's but what is asked here: the other tables know other conflicts.
      tx->exec(
          "SELECT count(*) FROM semel_begun WHERE ctid = "
          "current_setting('semel.begun')::tid");
    }
    CHECK(a.exec("SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock' AND relation IN "
                 "('semel_begun'::regclass, 'semel_begun_never_key'::regclass)")[0][0]
              .as<int>() == 0);
  }
  { const Range gone(std::move(one)), gone_too(std::move(other)); }
  drain(consumer, first);
  shop.expect_exactly_once();
}

TEST_CASE("a ledger of before gets what refuses such a COMMIT, or says who may make it") {
  if (!kafka_available()) return;
  Shop shop;
  pqxx::connection connection(shop.dsn);
  move_with_a_ledger_of_before(shop, connection);
  {
    DirectConsumer consumer(shop.options(), postgres::ledger(shop.dsn, {.create = false}));
    CHECK_THAT(thrown_by([&] { consumer.start(); }),
               Contains("semel_begun do not exist") && Contains("semel sql"));
  }
  shop.produce(5);
  auto consumer = shop.consumer();
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a ledger of before gets it while a transaction of before is open") {
  if (!kafka_available()) return;
  Shop shop;
  pqxx::connection connection(shop.dsn);
  move_with_a_ledger_of_before(shop, connection);
  shop.produce(5);
  {
    pqxx::connection other(shop.dsn);
    pqxx::work reading(other);
    reading.exec("SELECT count(*) FROM semel_owners, semel_commits, semel_progress");
    auto consumer = shop.consumer();
    drain(consumer, connection);
  }
  shop.expect_exactly_once();
}

TEST_CASE("who could commit by a ledger of before still can, though another role brings it up") {
  if (!kafka_available()) return;
  Shop shop;
  pqxx::connection connection(shop.dsn);
  move_with_a_ledger_of_before(shop, connection);
  const auto clerk = "Clerk " + shop.topic;
  shop.sql("CREATE ROLE \"" + clerk + "\"; GRANT INSERT ON orders, audit TO \"" + clerk +
           "\"; GRANT SELECT ON semel_owners TO \"" + clerk +
           "\"; GRANT SELECT, UPDATE ON semel_progress TO \"" + clerk +
           "\"; GRANT INSERT ON semel_commits, semel_dead_letters TO \"" + clerk + "\"");
  pqxx::nontransaction(connection).exec("SET ROLE \"" + clerk + "\"");
  shop.produce(5);
  auto consumer = shop.consumer();
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("what refuses a COMMIT is in no publication and in no WAL") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  // As tools make it that follow a database's changes; the users' tables have keys, as these
  // demand.
  shop.sql(
      "ALTER TABLE orders REPLICA IDENTITY FULL; ALTER TABLE audit REPLICA IDENTITY FULL; "
      "CREATE PUBLICATION followed FOR ALL TABLES");
  pqxx::connection connection(shop.dsn);
  auto consumer = shop.consumer();
  drain(consumer, connection);
  shop.expect_exactly_once();
  CHECK(shop.number("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'semel_begun'") ==
        0);
  CHECK(shop.number("SELECT count(*) FROM pg_publication_tables WHERE tablename = "
                    "'semel_progress'") == 1);
}

TEST_CASE("a range that is begun a second time in its transaction is one that was begun") {
  if (!kafka_available()) return;
  Shop shop(3);
  shop.produce(30);
  auto consumer = shop.consumer([](auto& options) { options.ranges_in_hand = 3; });
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  {
    pqxx::work tx(connection);
    postgres::begin(tx, range);
    tx.exec("SAVEPOINT mine");
    tx.exec("ROLLBACK TO SAVEPOINT mine");
    postgres::begin(tx, range);
    insert_orders(tx, range);
    postgres::advance(tx, range);
    tx.commit();
    range.committed();
  }
  // Not so that of another range, whose rows would stay without a position.
  {
    auto another = take(consumer);
    auto other = take(consumer);
    pqxx::work tx(connection);
    postgres::begin(tx, another);
    postgres::begin(tx, other);
    insert_orders(tx, other);
    postgres::advance(tx, other);
    CHECK_THAT(thrown_by([&] { tx.commit(); }), Contains("semel refuses the COMMIT"));
  }
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a commit into a file of SQLite without the advance ends the consumer, also the next") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  const auto by_hand = GENERATE(true, false);
  const auto store = [&](Range range) {
    if (!by_hand) {
      return sqlite::transact(file.handle, std::move(range), [](sqlite3* connection, Range& all) {
        insert_into_file(connection, all);
        sqlite3_exec(connection, "COMMIT", nullptr, nullptr, nullptr);
      });
    }
    file.run("BEGIN IMMEDIATE");
    sqlite::begin(file.handle, range);
    insert_into_file(file.handle, range);
    file.run("COMMIT");
  };
  const auto expect_told = [&](const std::string& error) {
    CHECK_THAT(error, Contains(shop.topic + "[0] [0, 10)") &&
                          Contains("committed without the advance") &&
                          Contains("semel offsets FILE set " + shop.topic + ":0=0") &&
                          Contains("semel offsets FILE set " + shop.topic + ":0=10"));
  };
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  expect_told(run_to_the_end(consumer, store));
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
  // As after a kill: nothing but the file remembers it.
  DirectConsumer again(shop.options(), sqlite::ledger(file.path));
  expect_told(run_to_the_end(again, store));
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
}

TEST_CASE("an operator says where to go on behind rows of SQLite's that have no position") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  commit_unadvanced(shop, file);
  const auto keep = GENERATE(true, false);
  if (!keep) file.run("DELETE FROM orders");
  sqlite::Options options;
  options.file = file.path;
  const SinkContext operators{.owner = {.pipeline = "shop", .output = "default", .id = "operator"}};
  auto ledger = sqlite::connector().open_ledger(config::Part::of(options), operators);
  REQUIRE(ledger);
  const auto unproven = (*ledger)->history([](auto) {});
  REQUIRE_FALSE(unproven);
  CHECK_THAT(unproven.error().message, Contains("committed without the advance"));
  const Progress to{.tp = {shop.topic, 0}, .until = keep ? 10 : 0};
  REQUIRE((*ledger)->set({&to, 1}, true));
  CHECK((*ledger)->history([](auto) {}));
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  drain_into_file(consumer, file.handle);
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
  CHECK(file.number("SELECT count(DISTINCT id) FROM orders") == 10);
  CHECK(file.number("SELECT sum(until_offset) FROM semel_progress") == 10);
}

TEST_CASE("a command that moves no position is enough where rows of SQLite's have none") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  commit_unadvanced(shop, file);
  const TempDir dir("semel-own-command");
  write_file(dir / "shop.toml", fmt::format(R"(name = "shop"
[source.kafka]
brokers = "{}"
topics = ["{}"]
[sink.sqlite]
file = "{}"
table = "any"
output = "default"
)",
                                            shop.kafka.bootstrap_servers(), shop.topic, file.path));
  const auto semel = [&](const std::string& command, std::vector<std::string> args = {}) {
    args.insert(args.begin(), {SEMEL_BINARY, command, dir / "shop.toml"});
    const auto done = run({.argv = std::move(args)});
    INFO(done.err);
    CHECK(done.code == 0);
    return done.out;
  };
  CHECK_THAT(semel("status"), Contains(shop.topic + "[0]: what is stored is not what"));
  CHECK_THAT(semel("status", {"--json"}), Contains("\"disputed\": true"));
  file.run("DELETE FROM orders");
  const auto where =
      GENERATE(std::vector<std::string>{"TOPIC:0=0"}, std::vector<std::string>{"--to", "earliest"});
  auto args = where;
  args.insert(args.begin(), "set");
  for (auto& arg : args) {
    if (arg.starts_with("TOPIC")) arg.replace(0, 5, shop.topic);
  }
  CHECK_THAT(semel("offsets", args), Contains("Done"));
  CHECK_THAT(semel("offsets", args), Contains("Nothing is to be changed"));
  CHECK_THAT(semel("status", {"--json"}), Contains("\"disputed\": false"));
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  drain_into_file(consumer, file.handle);
  CHECK(file.number("SELECT count(DISTINCT id) FROM orders") == 10);
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
  CHECK_THAT(semel("verify"), Contains("Proven"));
}

TEST_CASE("an advance in a file of SQLite without begin_sql is refused, and says so") {
  if (!kafka_available()) return;
  Shop shop;
  OwnFile file;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), sqlite::ledger(file.path));
  {
    auto range = take(consumer);
    file.run("BEGIN IMMEDIATE");
    insert_into_file(file.handle, range);
    CHECK_THAT(thrown_by([&] { sqlite::advance(file.handle, range); }),
               Contains("begin_sql() was not run"));
  }
  drain_into_file(consumer, file.handle);
  CHECK(file.number("SELECT count(*) FROM orders") == 10);
}

}  // namespace semel::test
