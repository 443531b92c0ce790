// A database that this process has open, or looks at.
#pragma once

#include <rocksdb/db.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <semel/error.hpp>
#include <semel/rocksdb.hpp>

namespace semel::rocksdb {

/// What RocksDB's answer means for a pipeline.
Error error_of(const ::rocksdb::Status& status, const std::string& directory);

/// With all of its column families.
struct Opened {
  std::unique_ptr<::rocksdb::DB> db;
  std::map<std::string, ::rocksdb::ColumnFamilyHandle*> families;
  struct stat place {};  ///< of the directory, when it was opened
  bool for_reading_only = false;

  Opened() = default;
  ~Opened();
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
};

/// All connections of one sink share one: RocksDB lets a process open a database once. Thread safe.
class Database {
 public:
  Database(std::string directory, std::string family)
      : directory_(std::move(directory)), family_(std::move(family)) {}

  const std::string& directory() const { return directory_; }
  /// Of the rows.
  const std::string& family() const { return family_; }

  /// Makes it where it is not there.
  Result<void> make();
  /// For writing, which nobody else can then; null: it is not there. It stays open until drop().
  /// Errors: unavailable where another process has it, or it is not closed yet.
  Result<std::shared_ptr<Opened>> open();
  /// What is open here; else as it is now, whoever has it. Null: it is not there.
  Result<std::shared_ptr<Opened>> look();
  /// After a write that failed, nothing but opening it anew tells what is on the disk.
  void drop();

  /// Whoever has a transaction for writing.
  std::timed_mutex writer;

 private:
  bool exists() const;
  Result<std::shared_ptr<Opened>> open_it(bool for_reading_only, bool may_make);

  std::string directory_;
  std::string family_;
  std::mutex mutex_;
  std::shared_ptr<Opened> opened_;     ///< guarded by mutex_
  std::weak_ptr<Opened> last_opened_;  ///< guarded by mutex_; may still be closing
};

}  // namespace semel::rocksdb
