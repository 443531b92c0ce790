// Batches of a program's that went into its RocksDB by another way, or cannot go there.
#include <rocksdb/utilities/write_batch_with_index.h>
#include <rocksdb/write_batch.h>

#include "integration/consumer/rocks.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

auto every_kind() {
  return GENERATE(Opens::db, Opens::optimistic, Opens::pessimistic);
}

/// What transact() throws where the function puts the range's rows, and then does `more`.
template <class Batch>
std::string thrown_with(const Rocks& rocks, DirectConsumer& consumer,
                        const std::function<void(Batch&)>& more) {
  return thrown_by([&] {
    rocksdb::transact<Batch>(take(consumer), [&](Batch& batch, Range& range) {
      put_orders(rocks, batch, range);
      more(batch);
    });
  });
}

void expect_ended(DirectConsumer& consumer, const Rocks& rocks, const std::string& error) {
  CHECK_THAT(error, Contains("its batch was written by somebody else") && Contains("[0, 10)") &&
                        Contains("without the advance"));
  CHECK(cause_of([&] { consumer.next(0ms); }) == Cause::program);
  CHECK(rocks.scan("orders").size() == 10);
  CHECK(rocks.sum("semel_progress", "until_offset") == 0);
}

}  // namespace

TEST_CASE("a batch that the function has written itself is told at once, and not written again") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks(every_kind());
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  const bool throws = GENERATE(true, false);
  const bool indexed = GENERATE(true, false);
  const auto writes = [&](auto& batch) {
    REQUIRE(rocks.db->Write({}, batch.GetWriteBatch()).ok());
    if (throws) throw std::runtime_error("of the program's");
  };
  expect_ended(consumer, rocks,
               indexed ? thrown_with<::rocksdb::WriteBatchWithIndex>(rocks, consumer, writes)
                       : thrown_with<::rocksdb::WriteBatch>(rocks, consumer, writes));
}

TEST_CASE("a batch that was written before commit() is told at once") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks(every_kind());
  shop.produce(10);
  DirectConsumer consumer(shop.options(), rocks.ledger());
  auto range = take(consumer);
  ::rocksdb::WriteBatch batch;
  put_orders(rocks, batch, range);
  REQUIRE(rocks.db->Write({}, &batch).ok());
  expect_ended(consumer, rocks, thrown_by([&] { rocksdb::commit(std::move(range), batch); }));
}

TEST_CASE("what a kind of database does not take is the program's mistake, and no broken disk") {
  if (!kafka_available()) return;
  const auto opens = GENERATE(Opens::optimistic, Opens::pessimistic);
  Shop shop;
  Rocks rocks(opens);
  shop.produce(10);
  auto options = shop.options();
  options.max_failures = 2;
  DirectConsumer consumer(options, rocks.ledger());
  const auto ranges = [&](::rocksdb::WriteBatch& batch) {
    REQUIRE(batch.DeleteRange(rocks.orders(), "x", "y").ok());
  };
  for (int i = 0; i < 2; ++i) {
    CHECK_THAT(thrown_with<::rocksdb::WriteBatch>(rocks, consumer, ranges),
               Contains("nothing is stored") && Contains("does not take"));
  }
  CHECK(cause_of([&] {
          while (true) consumer.next(1s);
        }) == Cause::program);
  CHECK(rocks.scan("orders").empty());
  // Nobody else is kept from going on.
  DirectConsumer again(shop.options(), rocks.ledger());
  drain(again, rocks);
  expect_once(rocks, 10);
}

TEST_CASE("what is not taken and is in the log already is told by the database, opened anew") {
  if (!kafka_available()) return;
  Shop shop;
  Rocks rocks;
  shop.produce(10);
  {
    DirectConsumer consumer(shop.options(), rocks.ledger());
    const auto dropped = [&](::rocksdb::WriteBatch& batch) {
      ::rocksdb::ColumnFamilyHandle* handle = nullptr;
      REQUIRE(rocks.db->CreateColumnFamily({}, "dropped", &handle).ok());
      REQUIRE(rocks.db->DropColumnFamily(handle).ok());
      REQUIRE(batch.Put(handle, "key", "value").ok());
      REQUIRE(rocks.db->DestroyColumnFamilyHandle(handle).ok());
    };
    CHECK_THAT(thrown_with<::rocksdb::WriteBatch>(rocks, consumer, dropped),
               Contains("only opening the database anew tells"));
    CHECK(cause_of([&] {
            while (true) consumer.next(1s);
          }) == Cause::sink);
  }
  rocks.close();
  rocks.open();
  DirectConsumer consumer(shop.options(), rocks.ledger());
  drain(consumer, rocks);
  expect_once(rocks, 10);
}

}  // namespace semel::test
