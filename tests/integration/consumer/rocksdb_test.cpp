// The user's own transaction in a database of RocksDB that he has open.
#include <rocksdb/utilities/db_ttl.h>
#include <rocksdb/utilities/write_batch_with_index.h>
#include <rocksdb/write_batch.h>
#include <thread>

#include "integration/consumer/rocks.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

auto putting(const Rocks& rocks) {
  return [&rocks](auto& batch, Range& range) { put_orders(rocks, batch, range); };
}

/// By whatever the database gives: a batch or a transaction.
void store(const Rocks& rocks, Opens opens, Range range) {
  const auto put = putting(rocks);
  if (opens == Opens::db) return rocksdb::transact<::rocksdb::WriteBatch>(std::move(range), put);
  if (opens == Opens::optimistic) {
    auto& db = dynamic_cast<::rocksdb::OptimisticTransactionDB&>(*rocks.db);
    return rocksdb::transact(db, std::move(range), put);
  }
  rocksdb::transact(dynamic_cast<::rocksdb::TransactionDB&>(*rocks.db), std::move(range), put);
}

}  // namespace

TEST_CASE("rows in a program's RocksDB and the ledger are one write, over two runs") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::db, Opens::optimistic, Opens::pessimistic);
  Shop shop(3);
  Rocks rocks(opens);
  shop.produce(5'000);
  const auto run = [&] {
    auto options = shop.options();
    options.max_records_per_range = 700;
    DirectConsumer consumer(options, rocks.ledger());
    while (!consumer.done()) {
      if (auto range = consumer.next(1s)) store(rocks, opens, *std::move(range));
    }
  };
  run();
  expect_once(rocks, 5'000);
  rocks.close();
  rocks.open();
  shop.produce(1'000);
  run();
  expect_once(rocks, 6'000);
}

TEST_CASE("a batch that can be read is written as one that cannot") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(100);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  rocksdb::transact<::rocksdb::WriteBatchWithIndex>(
      take(consumer), [&](::rocksdb::WriteBatchWithIndex& batch, Range& range) {
        put_orders(rocks, batch, range);
        std::string value;
        REQUIRE(batch.Put(rocks.orders(), "sum", "4950").ok());
        CHECK(batch.GetFromBatchAndDB(rocks.db, {}, rocks.orders(), "sum", &value).ok());
        CHECK(value == "4950");
        REQUIRE(batch.Delete(rocks.orders(), "sum").ok());
      });
  drain(consumer, rocks);
  expect_once(rocks, 100);
}

TEST_CASE("a bad record is a dead letter in the program's RocksDB") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce_value("1");
  shop.produce_value(std::string("\xff\0x", 3));
  DirectConsumer consumer(shop.options(), rocks.ledger());
  rocksdb::transact<::rocksdb::WriteBatch>(take(consumer), [](auto&, Range& range) {
    while (const auto records = range.next()) range.bad(records->back(), "it's bad");
  });
  std::string letter;
  for (const auto& row : rocks.scan("semel")) {
    if (row.starts_with("semel_dead_letters shop ")) letter += row;
  }
  // printf '\xff\0x' | base64
  CHECK_THAT(letter,
             Contains(R"("base64":"/wB4")") && Contains("it's bad") && Contains(R"("offset":1)"));
  CHECK(rocks.sum("semel_commits", "rows") == 1);
  CHECK(rocks.sum("semel_commits", "dead_letters") == 1);
}

TEST_CASE("who was taken over from on the same handle can commit nothing any more") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::db, Opens::optimistic, Opens::pessimistic);
  Shop shop;
  Rocks rocks(opens);
  shop.produce(10);
  DirectConsumer first(shop.options(), rocks.ledger());
  auto range = take(first);
  DirectConsumer second(shop.options(), rocks.ledger());
  auto same = take(second);
  CHECK_THAT(thrown_by([&] { store(rocks, opens, std::move(range)); }),
             Contains("nothing is stored: fenced by semel on") && Contains("[0, 10)"));
  CHECK(rocks.scan("orders").empty());
  CHECK_THAT(thrown_by([&] {
               while (true) first.next(1s);
             }),
             Contains("fenced") || Contains("taken over"));
  store(rocks, opens, std::move(same));
  expect_once(rocks, 10);
}

TEST_CASE("a batch is empty after its commit, also after one that was refused") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  ::rocksdb::WriteBatch batch;
  {
    auto range = take(consumer);
    (void)range.next();
    REQUIRE(batch.Put(rocks.orders(), "half", "read").ok());
    CHECK_THAT(thrown_by([&] { rocksdb::commit(std::move(range), batch); }),
               Contains("read to its end"));
    CHECK(batch.Count() == 0);
  }
  auto range = take(consumer);
  put_orders(rocks, batch, range);
  rocksdb::commit(std::move(range), batch);
  CHECK(batch.Count() == 0);
  CHECK_THAT(thrown_by([&] { rocksdb::commit(std::move(range), batch); }),  // NOLINT
             Contains("moved from"));
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("a batch that was written without the ledger's move is told at once") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  auto range = take(consumer);
  ::rocksdb::WriteBatch batch;
  put_orders(rocks, batch, range);
  REQUIRE(rocks.db->Write({}, &batch).ok());
  CHECK_THAT(thrown_by([&] { range.committed(); }), Contains("without the advance"));
  CHECK_THAT(thrown_by([&] { consumer.next(0ms); }), Contains("without the advance"));
}

TEST_CASE("who writes batches without the ledger's move and says nothing is stopped in time") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  int taken = 0;
  const auto error = thrown_by([&] {
    while (taken < 5) {
      auto range = consumer.next(1s);
      if (!range) continue;
      ++taken;
      ::rocksdb::WriteBatch batch;
      put_orders(rocks, batch, *range);
      REQUIRE(rocks.db->Write({}, &batch).ok());
    }
  });
  CHECK(taken == 2);
  CHECK_THAT(error, Contains("without the advance"));
}

TEST_CASE("what a function throws leaves nothing in the program's RocksDB, and comes again") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::db, Opens::pessimistic);
  Shop shop;
  Rocks rocks(opens);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  const auto throws = [&](auto& batch, Range& range) {
    put_orders(rocks, batch, range);
    throw std::runtime_error("of the user's");
  };
  CHECK(thrown_by([&] {
          if (opens == Opens::db) {
            rocksdb::transact<::rocksdb::WriteBatch>(take(consumer), throws);
          } else {
            rocksdb::transact(dynamic_cast<::rocksdb::TransactionDB&>(*rocks.db), take(consumer),
                              throws);
          }
        }) == "of the user's");
  CHECK(rocks.scan("orders").empty());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("a transaction that another one was faster than comes again") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks(Opens::optimistic);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  auto& db = dynamic_cast<::rocksdb::OptimisticTransactionDB&>(*rocks.db);
  CHECK_THAT(thrown_by([&] {
               rocksdb::transact(db, take(consumer), [&](::rocksdb::Transaction& tx, Range& range) {
                 std::string balance;
                 (void)tx.GetForUpdate({}, rocks.orders(), "balance", &balance);
                 put_orders(rocks, tx, range);
                 REQUIRE(rocks.db->Put({}, rocks.orders(), "balance", "7").ok());
               });
             }),
             Contains("nothing is stored") && Contains("busy"));
  REQUIRE(rocks.db->Delete({}, rocks.orders(), "balance").ok());
  CHECK(rocks.scan("orders").empty());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("a commit is on the disk, whatever a transaction was told of writing") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks(Opens::pessimistic);
  shop.produce(10);
  rocks.close();
  rocks.options.manual_wal_flush = GENERATE(true, false);
  rocks.open();
  DirectConsumer consumer(shop.options(), rocks.ledger());
  const int at_first = rocks.disk.syncs;
  auto range = take(consumer);
  // Take-over, and where the partition begins.
  CHECK(rocks.disk.syncs >= at_first + 2);
  const int before = rocks.disk.syncs;
  rocksdb::transact(dynamic_cast<::rocksdb::TransactionDB&>(*rocks.db), std::move(range),
                    [&](::rocksdb::Transaction& tx, Range& one) {
                      ::rocksdb::WriteOptions careless;
                      careless.disableWAL = true;
                      tx.SetWriteOptions(careless);
                      put_orders(rocks, tx, one);
                    });
  CHECK(rocks.disk.syncs > before);
}

TEST_CASE("a transaction of another database than the ledger's is refused") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks(Opens::pessimistic);
  Rocks others(Opens::pessimistic);
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  CHECK_THAT(thrown_by([&] { store(others, Opens::pessimistic, take(consumer)); }),
             Contains("another database than the transaction"));
  CHECK(others.scan("orders").empty());
  CHECK(others.scan("semel").empty());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE(
    "after a write that failed on the disk nothing goes on before the database is opened anew") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  {
    DirectConsumer consumer(shop.options(), rocks.ledger());
    auto range = take(consumer);
    // The log has the batch by then, and nobody knows whether the disk has it.
    rocks.disk.fail_syncs = 1;
    const auto put = putting(rocks);
    CHECK_THAT(
        thrown_by([&] { rocksdb::transact<::rocksdb::WriteBatch>(std::move(range), put); }),
        Contains("only opening the database anew tells") && Contains("the disk of the test"));
    int taken = 0;
    CHECK_THAT(thrown_by([&] {
                 while (!consumer.done()) {
                   if (auto again = consumer.next(1s)) ++taken;
                 }
               }),
               Contains("Only opening the database anew"));
    CHECK(taken == 0);
    // Nor does a second one on the same handle.
    DirectConsumer second(shop.options(), rocks.ledger());
    CHECK_THAT(thrown_by([&] { second.start(); }), Contains("Only opening the database anew"));
  }
  rocks.close();
  rocks.open();
  DirectConsumer consumer(shop.options(), rocks.ledger());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("a column family that would lose or mix up the ledger is refused, and said why") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  const auto refusal = [&](const LedgerFactory& ledger) {
    DirectConsumer consumer(shop.options(), ledger);
    return thrown_by([&] { consumer.start(); });
  };
  CHECK_THAT(refusal(rocksdb::ledger(*rocks.db, *rocks.orders())),
             Contains("column family is orders, and has to be semel"));
  rocks.close();
  // As somebody would who has one set of options for all.
  ::rocksdb::ColumnFamilyOptions options;
  std::string why;
  SECTION("another order") {
    options.comparator = ::rocksdb::ReverseBytewiseComparator();
    why = "comparator";
  }
  SECTION("oldest files go") {
    options.compaction_style = ::rocksdb::kCompactionStyleFIFO;
    why = "FIFO";
  }
  TempDir dir;
  ::rocksdb::DB* opened = nullptr;
  std::vector<::rocksdb::ColumnFamilyHandle*> handles;
  ::rocksdb::DBOptions all;
  all.create_if_missing = all.create_missing_column_families = true;
  SECTION("what is too old goes") {
    ::rocksdb::DBWithTTL* with_ttl = nullptr;
    REQUIRE(::rocksdb::DBWithTTL::Open(all, dir / "x", {{"default", {}}, {"semel", {}}}, &handles,
                                       &with_ttl, {0, 60})
                .ok());
    opened = with_ttl;
    why = "DBWithTTL";
  }
  SECTION("a log with holes") {
    all.wal_recovery_mode = ::rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
    why = "kSkipAnyCorruptedRecords";
  }
  SECTION("no log at all") {
    all.best_efforts_recovery = true;
    why = "best_efforts_recovery";
  }
  if (opened == nullptr) {
    REQUIRE(::rocksdb::DB::Open(all, dir / "x", {{"default", {}}, {"semel", options}}, &handles,
                                &opened)
                .ok());
  }
  CHECK_THAT(refusal(rocksdb::ledger(*opened, *handles[1])),
             Contains("no ledger can be kept") && Contains(why));
  for (auto* handle : handles) (void)opened->DestroyColumnFamilyHandle(handle);
  delete opened;
}

TEST_CASE("a database that is open for reading only keeps no ledger, and says so") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  ::rocksdb::DB* reader = nullptr;
  std::vector<::rocksdb::ColumnFamilyHandle*> handles;
  REQUIRE(::rocksdb::DB::OpenForReadOnly({}, rocks.path, {{"default", {}}, {"semel", {}}}, &handles,
                                         &reader)
              .ok());
  {
    DirectConsumer consumer(shop.options(), rocksdb::ledger(*reader, *handles[1]));
    CHECK_THAT(thrown_by([&] { consumer.start(); }), Contains("read only"));
  }
  for (auto* handle : handles) (void)reader->DestroyColumnFamilyHandle(handle);
  delete reader;
}

TEST_CASE("the ledger hears of a consumer while its user fills a batch") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  auto options = shop.options();
  options.heartbeat_ms = 100;
  DirectConsumer consumer(options, rocks.ledger());
  const auto owner = [&] {
    std::string found;
    for (const auto& row : rocks.scan("semel")) {
      if (row.starts_with("semel_owners shop ")) found = row;
    }
    return found;
  };
  rocksdb::transact<::rocksdb::WriteBatch>(take(consumer), [&](auto& batch, Range& range) {
    const auto before = owner();
    CHECK_THAT(before, Contains("\"seen_at\""));
    std::this_thread::sleep_for(300ms);
    CHECK_FALSE(consumer.next(0ms));
    put_orders(rocks, batch, range);
    CHECK(owner() != before);
  });
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("threads with a range each, and one who takes over meanwhile, store each record once") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::db, Opens::optimistic, Opens::pessimistic);
  Shop shop(4);
  Rocks rocks(opens);
  shop.produce(4'000);
  const auto consume = [&] {
    auto options = shop.options();
    options.ranges_in_hand = 4;
    options.max_records_per_range = 50;
    DirectConsumer consumer(options, rocks.ledger());
    std::vector<std::jthread> workers;
    while (!consumer.done()) {
      auto range = consumer.next(100ms);
      if (!range) continue;
      workers.emplace_back([&, one = std::make_shared<Range>(*std::move(range))] {
        try {
          store(rocks, opens, std::move(*one));
        } catch (const Failed&) {  // it comes again, to whoever is the owner
        }
      });
    }
  };
  std::optional<Cause> ended;
  std::thread first([&] {
    try {
      consume();
    } catch (const Failed& failed) {
      ended = failed.error().cause;
    }
  });
  CHECK(eventually([&] { return rocks.sum("semel_progress", "until_offset") > 500; }));
  consume();
  first.join();
  CHECK(ended.value_or(Cause::fenced) == Cause::fenced);
  expect_once(rocks, 4'000);
}

}  // namespace semel::test
