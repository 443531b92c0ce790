// A database of RocksDB that the test has open, as a program would, on a disk that can be told to
// fail.
#pragma once

#include <semel/rocksdb.hpp>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/transaction_db.h>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "integration/consumer/shop.hpp"

namespace semel::test {

/// What becomes of RocksDB's log on the disk.
struct Disk {
  std::atomic<int> syncs{0};            ///< of the log
  std::atomic<int> fail_syncs{0};       ///< so many of them, from now on
  std::unique_ptr<::rocksdb::Env> env;  ///< that does so

  Disk();
};

/// Which class of RocksDB's the program opens.
enum class Opens { db, optimistic, pessimistic };

/// Column families: the default one, orders, and semel.
class Rocks {
 public:
  /// `policy` of a TransactionDB.
  explicit Rocks(Opens opens = Opens::db,
                 ::rocksdb::TxnDBWritePolicy policy = ::rocksdb::WRITE_COMMITTED)
      : opens_(opens), policy_(policy) {
    open();
  }
  ~Rocks() { close(); }
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;

  void open();
  void close();

  LedgerFactory ledger() const { return rocksdb::ledger(*db, *handles[2]); }
  ::rocksdb::ColumnFamilyHandle* orders() const { return handles[1]; }

  /// Rows "KEY : VALUE" of a family, as `ldb` shows them, whoever has the database.
  std::vector<std::string> scan(const std::string& family) const;
  /// A number of each row of the ledger's table, summed up.
  std::int64_t sum(const std::string& table, const std::string& field) const;

  TempDir dir{"semel-own-rocks"};
  std::string path = dir / "shop.rocks";
  Disk disk;
  ::rocksdb::Options options;  ///< of the next open()
  ::rocksdb::DB* db = nullptr;
  std::vector<::rocksdb::ColumnFamilyHandle*> handles;

 private:
  Opens opens_;
  ::rocksdb::TxnDBWritePolicy policy_;
};

/// Reads the range to its end and puts a row for each record into `batch`: a WriteBatch, a
/// WriteBatchWithIndex or a Transaction. The key is the record's value and a number that each call
/// has of its own: what is stored twice are two rows. Any thread.
template <class Batch>
void put_orders(const Rocks& rocks, Batch& batch, Range& range) {
  static std::atomic<int> calls{0};
  const auto call = " " + std::to_string(++calls);
  while (const auto records = range.next()) {
    for (const auto& record : *records) {
      const auto status = batch.Put(rocks.orders(), std::string(*record.value) + call,
                                    std::to_string(record.offset));
      if (!status.ok()) throw std::runtime_error(status.ToString());
    }
  }
}

/// Until the consumer is done.
void drain(DirectConsumer& consumer, const Rocks& rocks);
/// A row for each of the values 0 to count - 1, and a ledger that stands there.
void expect_once(const Rocks& rocks, int count);

}  // namespace semel::test
