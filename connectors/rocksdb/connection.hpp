// A connection to a database as a store.
#pragma once

#include <rocksdb/write_batch.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rocksdb/database.hpp"
#include "rocksdb/keyed_store.hpp"
#include "rocksdb/options.hpp"

namespace semel::rocksdb {

/// A transaction is a batch, written at once, synced. Rows go into it as they come: nobody reads
/// them before, and an index of them would cost more than they do.
class Connection final : public KeyedStore {
 public:
  Connection(std::shared_ptr<Database> database, Options options, store::Interrupt stop)
      : database_(std::move(database)), options_(std::move(options)), stop_(std::move(stop)) {}
  ~Connection() override { Connection::roll_back(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> begin(store::Access access) override;
  Result<void> commit() override;
  void roll_back() noexcept override;
  Result<void> set_up() override { return database_->make(); }

  Result<std::unique_ptr<store::Target>> target() override;
  /// Of the target.
  Result<void> put_row(std::string_view key, std::string_view value);

 private:
  const std::string& directory() const override { return database_->directory(); }
  Result<std::string> stored(const std::string& key) override;
  Result<void> walk_stored(const std::string& from, bool backwards, const SeeKey& see) override;

  ::rocksdb::ColumnFamilyHandle* family(const std::string& name) const;
  tl::unexpected<Error> failed(const ::rocksdb::Status& status) const {
    return tl::unexpected(error_of(status, database_->directory()));
  }

  std::shared_ptr<Database> database_;
  Options options_;
  store::Interrupt stop_;
  // Of the transaction:
  std::unique_lock<std::timed_mutex> writer_;
  std::shared_ptr<Opened> opened_;  ///< null: there is no database, and nothing is in it
  const ::rocksdb::Snapshot* snapshot_ = nullptr;
  std::unique_ptr<::rocksdb::WriteBatch> batch_;  ///< where it is for writing: the rows
};

/// Sinks and ledgers of one process onto one database share it.
store::Setup setup_of(const Options& options, std::shared_ptr<Database> database);

}  // namespace semel::rocksdb
