// Your own transaction in RocksDB: each payment becomes a row, and is added to the customer's
// balance, in a database that this program has open.
//
//   own_transaction_rocksdb BROKERS TOPIC DIRECTORY [once]
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/consumer.hpp>
#include <semel/rocksdb.hpp>

namespace {

semel::DirectConsumer* to_stop = nullptr;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

/// The database with its column families: rows, balances, and the ledger's.
struct Shop {
  explicit Shop(const std::string& directory) {
    rocksdb::DBOptions options;
    options.create_if_missing = options.create_missing_column_families = true;
    rocksdb::DB* opened = nullptr;
    check(rocksdb::DB::Open(options, directory,
                            {{rocksdb::kDefaultColumnFamilyName, {}},
                             {"payments", {}},
                             {"balances", {}},
                             {semel::rocksdb::ledger_family, {}}},
                            &families, &opened));
    db.reset(opened);
  }
  ~Shop() {
    for (auto* family : families) (void)db->DestroyColumnFamilyHandle(family);
  }
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
};

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

/// Everything that one range brings.
void store(const Shop& shop, rocksdb::WriteBatch& batch, semel::Range& range) {
  std::map<std::string, std::int64_t> sums;
  const auto partition = std::to_string(range.offsets().tp.partition);
  while (const auto records = range.next()) {
    for (const auto& record : *records) {
      const auto amount = number_in(record.value.value_or(""));
      if (!amount) {
        range.bad(record, "the value is no whole number");
        continue;
      }
      const std::string customer(record.key.value_or(""));
      sums[customer] += *amount;
      check(batch.Put(shop.families[1], partition + "/" + std::to_string(record.offset),
                      customer + " " + std::to_string(*amount)));
    }
  }
  for (const auto& [customer, sum] : sums) {
    std::string before = "0";
    const auto found = shop.db->Get({}, shop.families[2], customer, &before);
    if (!found.IsNotFound()) check(found);
    check(batch.Put(shop.families[2], customer, std::to_string(*number_in(before) + sum)));
  }
}

void run(semel::DirectConsumer& consumer, const Shop& shop) {
  while (!consumer.done()) {
    // What this throws, only people can mend: it goes to main().
    auto range = consumer.next(std::chrono::milliseconds(500));
    if (!range) continue;
    try {
      semel::rocksdb::transact<rocksdb::WriteBatch>(
          *std::move(range), [&](auto& batch, semel::Range& one) { store(shop, batch, one); });
    } catch (const std::exception& error) {
      // Nothing of the range is stored: it comes again.
      std::cerr << error.what() << '\n';
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: own_transaction_rocksdb BROKERS TOPIC DIRECTORY [once]\n";
    return 2;
  }
  semel::ConsumerOptions options;
  options.pipeline = "payments";  // names the position: keep it
  options.brokers = argv[1];
  options.topics = {argv[2]};
  options.once = argc > 4 && std::string_view(argv[4]) == "once";
  try {
    const Shop shop(argv[3]);
    semel::DirectConsumer consumer(options, semel::rocksdb::ledger(*shop.db, *shop.families[3]));
    to_stop = &consumer;
    std::signal(SIGTERM, [](int) { to_stop->request_stop(); });
    run(consumer, shop);
    std::signal(SIGTERM, SIG_IGN);
    return 0;
  } catch (const semel::Failed& failed) {
    std::cerr << failed.what() << '\n';
    // As semel does: another copy has taken over, so do not start this one again.
    return failed.error().cause == semel::Cause::fenced ? 5 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
