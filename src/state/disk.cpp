#include "state/disk.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/lock_holder.hpp"

namespace semel::state {

namespace {

// Stored: do not change.
constexpr auto family_of_state = "state";

rocksdb::Options options_of_store() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // A change torn by a crash at the end was never told to anybody; a hole before it is damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_file_opening_threads = 1;
  options.skip_stats_update_on_db_open = true;
  // A batch changes its keys all over: most reads are of keys that are there, and of some that are
  // new, for which a filter saves the read.
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(64 << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksDisk final : public Disk {
 public:
  explicit RocksDisk(std::string path) : path_(std::move(path)) {}
  ~RocksDisk() override {
    for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
  }

  enum class To : std::uint8_t { write, look };
  rocksdb::Status open(To what) {
    const auto options = options_of_store();
    const std::vector<rocksdb::ColumnFamilyDescriptor> families{
        {rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options)},
        {family_of_state, rocksdb::ColumnFamilyOptions(options)}};
    rocksdb::DB* db = nullptr;
    const auto status =
        what == To::write ? rocksdb::DB::Open(options, path_, families, &families_, &db)
                          : rocksdb::DB::OpenForReadOnly(options, path_, families, &families_, &db);
    if (status.ok()) db_.reset(db);
    return status;
  }
  tl::unexpected<Error> not_opened(const rocksdb::Status& status) const {
    if (!is_locked(status)) return failed(status);
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {} has it. Only one process may run a pipeline on one "
                            "state: end that one first",
                            path_, lock_holder(path_ + "/LOCK", 0)));
  }
  static bool is_locked(const rocksdb::Status& status) {
    return status.IsIOError() && status.ToString().find("lock") != std::string::npos;
  }

  const std::string& path() const override { return path_; }

  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    std::string value;
    const auto status =
        db_->Get(rocksdb::ReadOptions(), handle(family), rocksdb::Slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return failed(status);
    return std::optional(std::move(value));
  }

  Result<void> scan(std::string_view from, const See& see) const override {
    const std::unique_ptr<rocksdb::Iterator> at(
        db_->NewIterator(rocksdb::ReadOptions(), handle(Family::state)));
    for (at->Seek(rocksdb::Slice(from)); at->Valid(); at->Next()) {
      if (!see(at->key().ToStringView(), at->value().ToStringView())) break;
    }
    if (!at->status().ok()) return failed(at->status());
    return {};
  }

  Result<void> write(const std::vector<Change>& changes, bool sync) override {
    rocksdb::WriteBatch batch;
    for (const auto& change : changes) {
      if (change.value) {
        batch.Put(handle(change.family), change.key, *change.value);
      } else {
        batch.Delete(handle(change.family), change.key);
      }
    }
    rocksdb::WriteOptions how;
    how.sync = sync;
    const auto status = db_->Write(how, &batch);
    if (!status.ok()) return failed(status);
    return {};
  }

  Result<void> checkpoint(const std::string& directory) const override {
    std::error_code error;
    const auto folder = std::filesystem::path(directory + "/").parent_path().parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (std::filesystem::exists(directory, error)) {
      return fail(ErrorKind::fatal, Cause::state,
                  fmt::format("there is something at {}: a checkpoint is made in a directory that "
                              "is not there yet",
                              directory));
    }
    rocksdb::Checkpoint* made = nullptr;
    auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (status.ok()) status = checkpoint->CreateCheckpoint(directory);
    if (status.ok()) return {};
    auto told = failed(status);
    told.value().message =
        fmt::format("checkpoint in {} of the {}", directory, told.value().message);
    return told;
  }

 private:
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return families_[family == Family::meta ? 0 : 1];
  }
  tl::unexpected<Error> failed(const rocksdb::Status& status) const {
    const auto* advice = status.IsCorruption()
                             ? "Restore a checkpoint, or begin with an empty state"
                             : "Free space or correct the permissions";
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {}. {}", path_, status.ToString(), advice));
  }

  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  ///< meta, state
};

Result<void> make_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error) return {};
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("state in {}: the directory cannot be made: {}", directory, error.message()));
}

}  // namespace

Result<std::unique_ptr<Disk>> open_disk(const std::string& directory) {
  if (auto made = make_directory(directory); !made) return tl::unexpected(made.error());
  auto disk = std::make_unique<RocksDisk>(directory);
  if (const auto opened = disk->open(RocksDisk::To::write); !opened.ok()) {
    return disk->not_opened(opened);
  }
  return std::unique_ptr<Disk>(std::move(disk));
}

Result<std::unique_ptr<Disk>> look_at_disk(const std::string& directory) {
  auto disk = std::make_unique<RocksDisk>(directory);
  if (const auto opened = disk->open(RocksDisk::To::look); !opened.ok()) {
    return disk->not_opened(opened);
  }
  return std::unique_ptr<Disk>(std::move(disk));
}

Result<std::unique_ptr<Disk>> open_cache_disk(const std::string& directory) {
  for (const bool again : {false, true}) {
    if (auto made = make_directory(directory); !made) return tl::unexpected(made.error());
    auto disk = std::make_unique<RocksDisk>(directory);
    const auto opened = disk->open(RocksDisk::To::write);
    if (opened.ok()) return std::unique_ptr<Disk>(std::move(disk));
    if (RocksDisk::is_locked(opened)) return nullptr;
    if (again) return disk->not_opened(opened);
    disk.reset();
    std::error_code gone;
    std::filesystem::remove_all(directory, gone);
  }
  return nullptr;
}

}  // namespace semel::state
