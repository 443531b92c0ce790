#include "integration/consumer/rocks.hpp"

#include <map>
#include <sstream>
#include <utility>

namespace semel::test {

namespace db = ::rocksdb;
using namespace std::chrono_literals;

namespace {

class LogFile final : public db::FSWritableFileOwnerWrapper {
 public:
  LogFile(std::unique_ptr<db::FSWritableFile>&& file, Disk& disk)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}

  db::IOStatus Sync(const db::IOOptions& options, db::IODebugContext* context) override {
    if (disk_.fail_syncs > 0) {
      --disk_.fail_syncs;
      return db::IOStatus::IOError("the disk of the test");
    }
    ++disk_.syncs;
    return FSWritableFileOwnerWrapper::Sync(options, context);
  }

 private:
  Disk& disk_;
};

class TestFileSystem final : public db::FileSystemWrapper {
 public:
  explicit TestFileSystem(Disk& disk) : FileSystemWrapper(db::FileSystem::Default()), disk_(disk) {}
  const char* Name() const override { return "TestFileSystem"; }

  db::IOStatus NewWritableFile(const std::string& name, const db::FileOptions& options,
                               std::unique_ptr<db::FSWritableFile>* made,
                               db::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(name, options, made, context);
    if (status.ok() && name.ends_with(".log")) {
      *made = std::make_unique<LogFile>(std::move(*made), disk_);
    }
    return status;
  }

 private:
  Disk& disk_;
};

}  // namespace

Disk::Disk() : env(db::NewCompositeEnv(std::make_shared<TestFileSystem>(*this))) {}

void Rocks::open() {
  options.create_if_missing = options.create_missing_column_families = true;
  options.env = disk.env.get();
  std::vector<db::ColumnFamilyDescriptor> families;
  for (const auto* name : {"default", "orders", rocksdb::ledger_family}) {
    families.emplace_back(name, db::ColumnFamilyOptions());
  }
  db::Status status;
  if (opens_ == Opens::db) {
    status = db::DB::Open(options, path, families, &handles, &db);
  } else if (opens_ == Opens::optimistic) {
    db::OptimisticTransactionDB* opened = nullptr;
    status = db::OptimisticTransactionDB::Open(options, path, families, &handles, &opened);
    db = opened;
  } else {
    db::TransactionDB* opened = nullptr;
    db::TransactionDBOptions transactions;
    transactions.write_policy = policy_;
    status = db::TransactionDB::Open(options, transactions, path, families, &handles, &opened);
    db = opened;
  }
  INFO(status.ToString());
  REQUIRE(status.ok());
}

void Rocks::close() {
  if (db == nullptr) return;
  for (auto* handle : handles) (void)db->DestroyColumnFamilyHandle(handle);
  handles.clear();
  delete db;
  db = nullptr;
}

std::vector<std::string> Rocks::scan(const std::string& family) const {
  std::vector<std::string> rows;
  // The log of another policy than the default one is none that ldb can read.
  if (policy_ != db::WRITE_COMMITTED) {
    auto* handle = family == rocksdb::ledger_family ? handles[2] : orders();
    const std::unique_ptr<db::Iterator> at(db->NewIterator({}, handle));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      rows.push_back(at->key().ToString() + " : " + at->value().ToString());
    }
    return rows;
  }
  const auto said = run({.argv = {"ldb", "--db=" + path, "--column_family=" + family, "scan"}});
  INFO(said.err);
  REQUIRE(said.code == 0);
  std::istringstream lines(said.out);
  for (std::string line; std::getline(lines, line);) rows.push_back(line);
  return rows;
}

std::int64_t Rocks::sum(const std::string& table, const std::string& field) const {
  std::int64_t all = 0;
  for (const auto& row : scan(rocksdb::ledger_family)) {
    if (!row.starts_with(table + " shop ")) continue;
    const auto at = row.find("\"" + field + "\":");
    REQUIRE(at != std::string::npos);
    all += std::stoll(row.substr(at + field.size() + 3));
  }
  return all;
}

void drain(DirectConsumer& consumer, const Rocks& rocks) {
  while (!consumer.done()) {
    auto range = consumer.next(1s);
    if (!range) continue;
    rocksdb::transact<db::WriteBatch>(
        *std::move(range), [&](auto& batch, Range& one) { put_orders(rocks, batch, one); });
  }
}

void expect_once(const Rocks& rocks, int count) {
  std::map<int, int> times;
  for (const auto& row : rocks.scan("orders")) ++times[std::stoi(row)];
  CHECK(times.size() == static_cast<std::size_t>(count));
  for (const auto& [value, stored] : times) {
    INFO("value " << value);
    REQUIRE((stored == 1 && value >= 0 && value < count));
  }
  CHECK(rocks.sum("semel_progress", "until_offset") == count);
  CHECK(rocks.sum("semel_commits", "rows") == count);
}

}  // namespace semel::test
