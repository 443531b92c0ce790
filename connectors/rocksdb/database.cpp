#include "rocksdb/database.hpp"

#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/options_util.h>
#include <unistd.h>

#include <cstdarg>
#include <filesystem>
#include <vector>

#include "base/lock_holder.hpp"

namespace semel::rocksdb {

namespace {

namespace db = ::rocksdb;

/// RocksDB's own log, which nobody reads here: on a disk that is full, an assertion about the file
/// of that log ends the process (7.8 as Debian builds it).
class NoLog final : public db::Logger {
 public:
  using db::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

db::Options new_database() {
  db::Options options;
  // Beside semel's own memory, not instead of it.
  options.db_write_buffer_size = std::size_t{64} << 20;
  return options;
}

struct Families {
  db::DBOptions options = new_database();
  std::vector<db::ColumnFamilyDescriptor> all;
};

/// As whoever made the database wanted it to be: its own file of options is kept beside it.
db::Status read_families(const std::string& directory, Families& families) {
  const auto found = db::LoadLatestOptions({}, directory, &families.options, &families.all);
  if (!found.IsNotFound()) return found;
  std::vector<std::string> names;
  const auto listed = db::DB::ListColumnFamilies(families.options, directory, &names);
  for (const auto& name : names) families.all.emplace_back(name, db::ColumnFamilyOptions());
  return listed;
}

void add(Families& families, const std::string& name) {
  for (const auto& family : families.all) {
    if (family.name == name) return;
  }
  families.all.emplace_back(name, db::ColumnFamilyOptions());
}

}  // namespace

Error error_of(const db::Status& status, const std::string& directory) {
  const auto said = status.ToString();
  const auto error = [&](ErrorKind kind, std::string_view remedy) {
    return Error{kind, Cause::sink, fmt::format("RocksDB, {}: {}: {}", directory, said, remedy)};
  };
  if (status.IsNoSpace() || said.find("No space left") != std::string::npos) {
    return error(ErrorKind::unavailable, "free space there");
  }
  if (status.IsIOError() && said.find("/LOCK") != std::string::npos &&
      access((directory + "/LOCK").c_str(), R_OK | W_OK) == 0) {
    return {ErrorKind::unavailable, Cause::sink,
            fmt::format("RocksDB, {}: {} has this database, and RocksDB lets only one process have "
                        "it: end that, or give each its own directory",
                        directory, lock_holder(directory + "/LOCK", 0))};
  }
  if (status.IsIOError() && access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    return error(ErrorKind::fatal, "semel has to be allowed to write this directory");
  }
  if (status.IsIOError()) return error(ErrorKind::unavailable, "it is tried again");
  if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() || status.IsIncomplete()) {
    return error(ErrorKind::retriable, "it is tried again");
  }
  if (status.IsCorruption()) {
    return error(ErrorKind::fatal,
                 "the database is damaged. Restore all of it from a backup (rows and ledger go "
                 "back together, and the records since are read again), or begin a new one in "
                 "another directory");
  }
  return error(ErrorKind::fatal, "is sink.rocksdb.directory the right one?");
}

Opened::~Opened() {
  for (const auto& [name, family] : families) (void)db->DestroyColumnFamilyHandle(family);
}

bool Database::exists() const {
  return access((directory_ + "/CURRENT").c_str(), F_OK) == 0;
}

Result<std::shared_ptr<Opened>> Database::open_it(bool for_reading_only, bool may_make) {
  Families families;
  if (exists()) {
    const auto read = read_families(directory_, families);
    if (!read.ok()) return tl::unexpected(error_of(read, directory_));
  } else if (!may_make) {
    return nullptr;
  }
  if (!for_reading_only) {
    for (const auto& name : {db::kDefaultColumnFamilyName, std::string(ledger_family), family_}) {
      add(families, name);
    }
  }
  families.options.info_log = std::make_shared<NoLog>();
  families.options.create_if_missing = may_make;
  families.options.create_missing_column_families = !for_reading_only;
  families.options.paranoid_checks = true;
  // A transaction that a crash has torn was never acknowledged; a hole before the end is damage.
  families.options.wal_recovery_mode = db::WALRecoveryMode::kTolerateCorruptedTailRecords;
  auto opened = std::make_shared<Opened>();
  opened->for_reading_only = for_reading_only;
  std::vector<db::ColumnFamilyHandle*> handles;
  db::DB* handle = nullptr;
  const auto status =
      for_reading_only
          ? db::DB::OpenForReadOnly(families.options, directory_, families.all, &handles, &handle)
          : db::DB::Open(families.options, directory_, families.all, &handles, &handle);
  if (!status.ok()) return tl::unexpected(error_of(status, directory_));
  opened->db.reset(handle);
  for (auto* family : handles) opened->families[family->GetName()] = family;
  (void)stat(directory_.c_str(), &opened->place);
  return opened;
}

Result<void> Database::make() {
  const std::lock_guard lock(mutex_);
  if (opened_ || exists()) return {};
  std::error_code error;
  std::filesystem::create_directory(directory_, error);
  if (error) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("RocksDB, {}: the directory cannot be made: {}: make the one above it, "
                            "or correct sink.rocksdb.directory",
                            directory_, error.message()));
  }
  auto made = open_it(false, true);
  if (!made) return tl::unexpected(made.error());
  last_opened_ = opened_ = *std::move(made);
  return {};
}

Result<std::shared_ptr<Opened>> Database::open() {
  const std::lock_guard lock(mutex_);
  if (opened_) {
    struct stat now {};
    const auto& then = opened_->place;
    const bool there = stat(directory_.c_str(), &now) == 0 && now.st_ino == then.st_ino &&
                       now.st_dev == then.st_dev && exists();
    if (there) return opened_;
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("RocksDB, {}: the directory was moved, deleted or replaced while it "
                            "was written; start semel again",
                            directory_));
  }
  if (!last_opened_.expired()) {
    return fail(ErrorKind::unavailable, Cause::sink,
                fmt::format("RocksDB, {}: the database is being closed", directory_));
  }
  auto opened = open_it(false, false);
  if (opened) last_opened_ = opened_ = *opened;
  return opened;
}

Result<std::shared_ptr<Opened>> Database::look() {
  const std::lock_guard lock(mutex_);
  return opened_ ? opened_ : open_it(true, false);
}

void Database::drop() {
  const std::lock_guard lock(mutex_);
  opened_.reset();
}

}  // namespace semel::rocksdb
