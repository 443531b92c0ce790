// What a program's mistakes with its RocksDB do: nothing is lost, nothing goes on unsaid.
#include <rocksdb/write_batch.h>

#include "integration/consumer/rocks.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;
using ::rocksdb::Transaction;

namespace {

/// What a function does with its transaction besides.
using Ends = void (*)(const Rocks&, Transaction&);

void commits(const Rocks& /*rocks*/, Transaction& tx) {
  REQUIRE(tx.Commit().ok());
}
void commits_and_goes_on(const Rocks& rocks, Transaction& tx) {
  REQUIRE(tx.Commit().ok());
  // Of a pessimistic one nothing more is taken.
  tx.SetSavePoint();
  (void)tx.Put(rocks.orders(), "more", "x");
}
void prepares(const Rocks& /*rocks*/, Transaction& tx) {
  REQUIRE(tx.SetName("of the user's").ok());
  REQUIRE(tx.Prepare().ok());
}
void rolls_back(const Rocks& /*rocks*/, Transaction& tx) {
  REQUIRE(tx.Rollback().ok());
}
void rolls_back_and_goes_on(const Rocks& rocks, Transaction& tx) {
  REQUIRE(tx.Rollback().ok());
  tx.SetSavePoint();
  REQUIRE(tx.Put(rocks.orders(), "more", "x").ok());
}

void in_transaction(const Rocks& rocks, Range range,
                    const std::function<void(Transaction&, Range&)>& work) {
  if (auto* db = dynamic_cast<::rocksdb::OptimisticTransactionDB*>(rocks.db)) {
    return rocksdb::transact(*db, std::move(range), work);
  }
  rocksdb::transact(dynamic_cast<::rocksdb::TransactionDB&>(*rocks.db), std::move(range), work);
}

/// What transact() throws where the function stores the range's rows and then ends the transaction.
std::string ended(const Rocks& rocks, DirectConsumer& consumer, Ends ends) {
  return thrown_by([&] {
    in_transaction(rocks, take(consumer), [&](Transaction& tx, Range& range) {
      put_orders(rocks, tx, range);
      ends(rocks, tx);
    });
  });
}

/// The policies of TransactionDB.
auto policies() {
  return GENERATE(::rocksdb::WRITE_COMMITTED, ::rocksdb::WRITE_PREPARED,
                  ::rocksdb::WRITE_UNPREPARED);
}

}  // namespace

TEST_CASE("a transaction of RocksDB's that the function has committed is told at once") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::optimistic, Opens::pessimistic);
  const auto policy = opens == Opens::pessimistic ? policies() : ::rocksdb::WRITE_COMMITTED;
  const auto ends = GENERATE(&commits, &commits_and_goes_on, &prepares);
  // An optimistic one cannot be prepared; and RocksDB 7.8 cannot forget a prepared one of the
  // others.
  if (ends == &prepares && (opens == Opens::optimistic || policy != ::rocksdb::WRITE_COMMITTED)) {
    return;
  }
  Shop shop;
  Rocks rocks(opens, policy);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  CHECK_THAT(ended(rocks, consumer, ends), Contains("has ended its transaction itself") &&
                                               Contains("without the advance") &&
                                               Contains("[0, 10)"));
  CHECK_THAT(thrown_by([&] { consumer.next(0ms); }), Contains("without the advance"));
  CHECK(rocks.sum("semel_progress", "until_offset") == 0);
}

TEST_CASE("a function that rolls its transaction back loses nothing: the range comes again") {
  if (!kafka_available()) return;
  const auto policy = policies();
  const auto ends = GENERATE(&rolls_back, &rolls_back_and_goes_on);
  Shop shop;
  Rocks rocks(Opens::pessimistic, policy);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  CHECK_THAT(ended(rocks, consumer, ends),
             Contains("nothing is stored") && Contains("rolled its transaction back"));
  CHECK(rocks.scan("orders").empty());
  CHECK(rocks.sum("semel_progress", "until_offset") == 0);
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("a rollback that RocksDB does not tell from a commit ends the consumer") {
  if (!kafka_available()) return;
  const auto ends = GENERATE(&rolls_back, &rolls_back_and_goes_on);
  Shop shop;
  Rocks rocks(Opens::optimistic);
  shop.produce(10);
  {
    DirectConsumer consumer(shop.options(), rocks.ledger());
    CHECK_THAT(ended(rocks, consumer, ends), Contains("Rollback()"));
    CHECK_THAT(thrown_by([&] { consumer.next(0ms); }), Contains("without the advance"));
  }
  CHECK(rocks.scan("orders").empty());
  DirectConsumer consumer(shop.options(), rocks.ledger());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("savepoints of a function's own are its own") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::optimistic, Opens::pessimistic);
  const auto policy = opens == Opens::pessimistic ? policies() : ::rocksdb::WRITE_COMMITTED;
  Shop shop;
  Rocks rocks(opens, policy);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  in_transaction(rocks, take(consumer), [&](Transaction& tx, Range& range) {
    tx.SetSavePoint();
    REQUIRE(tx.Put(rocks.orders(), "not this one", "x").ok());
    REQUIRE(tx.RollbackToSavePoint().ok());
    CHECK(tx.RollbackToSavePoint().IsNotFound());
    put_orders(rocks, tx, range);
  });
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("why a function threw is said by the error that ends the consumer, and by the log") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::db, Opens::optimistic);
  Shop shop;
  Rocks rocks(opens);
  shop.produce(10);
  auto options = shop.options();
  options.max_failures = 2;
  std::string log;
  options.log = [&](LogLevel, std::string_view line) { log += line; };
  DirectConsumer consumer(options, rocks.ledger());
  const auto fails = [](auto&, Range&) { throw std::runtime_error("the quota is used up"); };
  const auto error = thrown_by([&] {
    while (true) {
      auto range = consumer.next(1s);
      if (!range) continue;
      CHECK_THAT(thrown_by([&] {
                   if (opens == Opens::db) {
                     rocksdb::transact<::rocksdb::WriteBatch>(*std::move(range), fails);
                   } else {
                     in_transaction(rocks, *std::move(range), fails);
                   }
                 }),
                 Contains("the quota is used up"));
    }
  });
  CHECK_THAT(error, Contains("the quota is used up") && Contains("after 2 failures"));
  CHECK_THAT(log, Contains("the quota is used up"));
}

TEST_CASE("conflicts with other transactions are no failures, until there are very many in a row") {
  if (!kafka_available()) return;
  const bool ever = GENERATE(true, false);
  constexpr int some = 70;
  Shop shop;
  Rocks rocks(Opens::optimistic);
  shop.produce(10);
  auto options = shop.options();
  options.max_failures = 1;
  std::string log;
  options.log = [&](LogLevel, std::string_view line) { log += line; };
  DirectConsumer consumer(options, rocks.ledger());
  int tries = 0;
  const auto error = thrown_by([&] {
    while (!consumer.done()) {
      auto range = consumer.next(1s);
      if (!range) continue;
      (void)thrown_by([&] {
        in_transaction(rocks, *std::move(range), [&](Transaction& tx, Range& one) {
          ++tries;
          std::string balance;
          (void)tx.GetForUpdate({}, rocks.handles[0], "balance", &balance);
          put_orders(rocks, tx, one);
          if (!ever && tries > some) return;
          REQUIRE(rocks.db->Put({}, rocks.handles[0], "balance", std::to_string(tries)).ok());
        });
      });
    }
  });
  CHECK_THAT(log, Contains("another transaction was faster") && Contains("busy"));
  if (ever) {
    CHECK(tries == 100);
    CHECK_THAT(error, Contains("another transaction was faster") && Contains("busy") &&
                          Contains("conflict 100 in a row"));
    CHECK(rocks.scan("orders").empty());
  } else {
    CHECK(error.empty());
    CHECK(tries == some + 1);
    expect_once(rocks, 10);
  }
}

TEST_CASE("a handle of another database than the ledger's is refused, and leaves nothing behind") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  // By its number this one's ledger is the orders of the other.
  TempDir dir;
  ::rocksdb::DB* other = nullptr;
  std::vector<::rocksdb::ColumnFamilyHandle*> handles;
  ::rocksdb::DBOptions options;
  options.create_if_missing = options.create_missing_column_families = true;
  REQUIRE(
      ::rocksdb::DB::Open(options, dir / "x", {{"default", {}}, {"semel", {}}}, &handles, &other)
          .ok());
  {
    DirectConsumer consumer(shop.options(), rocksdb::ledger(*rocks.db, *handles[1]));
    CHECK_THAT(thrown_by([&] { consumer.start(); }),
               Contains("no ledger can be kept") && Contains("another database"));
  }
  CHECK(rocks.scan("orders").empty());
  CHECK(rocks.scan("semel").empty());
  for (auto* handle : handles) (void)other->DestroyColumnFamilyHandle(handle);
  delete other;
}

}  // namespace semel::test
