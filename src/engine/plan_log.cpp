#include "engine/plan_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/plan_codec.hpp"

namespace semel::engine {

namespace {

constexpr auto family_name = "plans";  // stored: do not change
constexpr int directories_max = 16;

/// Decimal with leading zeros: sorts by time and can be read in a dump. Stored: do not change.
std::string key_of(BatchTime time) {
  return fmt::format("{:020}", time.ms);
}

tl::unexpected<Error> broken(const std::string& path, const std::string& what) {
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("plan log {}: {}. Nothing is lost by removing that directory: the ledger in "
                  "the sink knows what was committed",
                  path, what));
}

tl::unexpected<Error> failed(const std::string& path, const rocksdb::Status& status) {
  if (status.IsCorruption()) return broken(path, "is corrupt: " + status.ToString());
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("plan log {}: {}. Free space or correct the permissions, or set state_dir to "
                  "another directory",
                  path, status.ToString()));
}

rocksdb::Options log_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // A record torn by a crash at the end was never acknowledged; a hole before it is damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  // A few plans at a time: small buffers, few files, no chatter.
  options.write_buffer_size = 1 << 20;
  options.max_open_files = 64;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // A restart waits for this: a few small files need no sixteen threads to open them, and what the
  // log still holds need not become a table first. It stays in the log, which is kept.
  options.max_file_opening_threads = 1;
  options.skip_stats_update_on_db_open = true;
  options.avoid_flush_during_recovery = true;
  return options;
}

/// The process that holds the log's lock; 0 where none does. RocksDB's message is the same whether
/// the lock file cannot be opened or is locked, and only the second means that somebody is there.
pid_t lock_holder(const std::string& path) {
  const auto file = open((path + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool asked = fcntl(file, F_GETLK, &lock) == 0;
  close(file);
  return asked && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

tl::unexpected<Error> not_permitted(const std::string& path, int error) {
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("plan log {}: {}: it belongs to another user, or its directory may not be "
                  "written. Correct its owner or permissions, run semel as that user, or set "
                  "state_dir to another directory",
                  path, std::generic_category().message(error)));
}

/// Whether this user may open a log that is there.
Result<void> may_open(const std::string& path) {
  for (const auto& needed : {path, path + "/LOCK"}) {
    if (access(needed.c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    return not_permitted(path, errno);
  }
  return {};
}

/// Who may use the directory of a log: one PlanLog at a time, for as long as it lives. RocksDB's
/// own lock is not enough: RocksDB renames and removes files before it takes it, and two that open
/// one log at the same moment trip over each other.
class Hold {
 public:
  /// An error, or a hold that may be another's: see ours().
  static Result<Hold> take(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return unusable_state(path, "made", error.message());
    const auto name = path + "/semel.lock";
    Hold hold(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (hold.file_ < 0) return not_permitted(path, errno);
    if (flock(hold.file_, LOCK_EX | LOCK_NB) == 0) {
      hold.ours_ = true;
      const auto pid = fmt::format("{}\n", getpid());
      // Only for the message of whoever finds it held: it may be missing.
      if (ftruncate(hold.file_, 0) == 0) (void)!pwrite(hold.file_, pid.data(), pid.size(), 0);
      return hold;
    }
    if (errno != EWOULDBLOCK) {
      return fail(ErrorKind::fatal, Cause::state,
                  fmt::format("plan log {}: {} cannot be locked: {}. Set state_dir to a directory "
                              "on a local file system",
                              path, name, std::generic_category().message(errno)));
    }
    return hold;
  }

  bool ours() const { return ours_; }
  /// The process that has it, for a message.
  std::string holder() const {
    char text[16] = {};
    const auto size = pread(file_, text, sizeof text - 1, 0);
    const auto pid = size > 0 ? std::atol(text) : 0;
    return pid > 0 ? fmt::format("process {}", pid) : "another process";
  }

  Hold(Hold&& other) noexcept
      : file_(std::exchange(other.file_, -1)), ours_(std::exchange(other.ours_, false)) {}
  Hold& operator=(Hold&&) = delete;
  ~Hold() {
    if (file_ >= 0) close(file_);
  }

 private:
  explicit Hold(int file) : file_(file) {}
  int file_;
  bool ours_ = false;
};

}  // namespace

struct PlanLog::Impl {
  std::string path;
  std::optional<Hold> hold;  // outlives the database
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  rocksdb::ColumnFamilyHandle* plans() const { return families.back(); }

  ~Impl() {
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  }
};

PlanLog::PlanLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlanLog::~PlanLog() = default;

tl::unexpected<Error> unusable_state(const std::string& directory, std::string_view verb,
                                     const std::string& why) {
  return fail(ErrorKind::fatal, Cause::state,
              fmt::format("state directory {} cannot be {}: {}. Set state_dir to a "
                          "directory that this user may write",
                          directory, verb, why));
}

Result<void> make_state_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return unusable_state(directory, "made", error.message());
  return {};
}

Result<void> PlanLog::look(const std::string& directory) {
  auto impl = std::make_unique<Impl>();
  impl->path = directory + "/plans";
  if (auto may = may_open(impl->path); !may) return may;
  if (!std::filesystem::exists(impl->path + "/CURRENT")) return {};
  auto options = log_options();
  options.create_if_missing = false;
  options.create_missing_column_families = false;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(
      options, impl->path,
      {{rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions()},
       {family_name, rocksdb::ColumnFamilyOptions(options)}},
      &impl->families, &db);
  if (!status.ok()) return failed(impl->path, status);
  impl->db.reset(db);
  const PlanLog log(std::move(impl));
  if (const auto plans = log.load(); !plans) return tl::unexpected(plans.error());
  return {};
}

Result<std::unique_ptr<PlanLog>> PlanLog::open(const std::string& directory, std::string& note) {
  if (auto made = make_state_directory(directory); !made) return tl::unexpected(made.error());
  const auto options = log_options();
  std::string holder;
  for (int n = 1; n <= directories_max; ++n) {
    auto impl = std::make_unique<Impl>();
    impl->path = n == 1 ? directory + "/plans" : fmt::format("{}/plans-{}", directory, n);
    auto hold = Hold::take(impl->path);
    if (!hold) return tl::unexpected(hold.error());
    if (!hold->ours()) {
      if (n == 1) holder = hold->holder();
      continue;
    }
    impl->hold.emplace(*std::move(hold));
    rocksdb::DB* db = nullptr;
    const auto status =
        rocksdb::DB::Open(options, impl->path,
                          {{rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions()},
                           {family_name, rocksdb::ColumnFamilyOptions(options)}},
                          &impl->families, &db);
    if (!status.ok()) {
      if (!status.IsIOError()) return failed(impl->path, status);
      if (auto may = may_open(impl->path); !may) return tl::unexpected(may.error());
      // A program from before there was a semel.lock holds only the lock of RocksDB.
      const auto owner = lock_holder(impl->path);
      if (owner == 0) return failed(impl->path, status);
      if (n == 1) holder = fmt::format("process {}", owner);
      continue;
    }
    impl->db.reset(db);
    if (n > 1) {
      note = fmt::format("{} still holds the plan log in {}; using {}", holder,
                         directory + "/plans", impl->path);
    }
    return std::unique_ptr<PlanLog>(new PlanLog(std::move(impl)));
  }
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("state directory {}: {} plan logs in it are held by processes that do not "
                  "end, the first by {}. End them, or set state_dir to another directory",
                  directory, directories_max, holder));
}

Result<std::vector<core::Batch>> PlanLog::load() const {
  std::vector<core::Batch> batches;
  const std::unique_ptr<rocksdb::Iterator> plan(
      impl_->db->NewIterator(rocksdb::ReadOptions(), impl_->plans()));
  for (plan->SeekToFirst(); plan->Valid(); plan->Next()) {
    auto batch = decode_plan(plan->value().ToStringView());
    if (!batch) return broken(impl_->path, batch.error().message);
    if (key_of(batch->time) != plan->key().ToStringView()) {
      return broken(impl_->path, fmt::format("the plan under {} says that it is batch {}",
                                             plan->key().ToString(), batch->time.ms));
    }
    batches.push_back(*std::move(batch));
  }
  if (!plan->status().ok()) return failed(impl_->path, plan->status());
  return batches;
}

Result<void> PlanLog::put(const core::Batch& batch) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto status =
      impl_->db->Put(synced, impl_->plans(), key_of(batch.time), encode_plan(batch));
  if (!status.ok()) return failed(impl_->path, status);
  return {};
}

Result<void> PlanLog::erase(BatchTime time) {
  const auto status = impl_->db->Delete(rocksdb::WriteOptions(), impl_->plans(), key_of(time));
  if (!status.ok()) return failed(impl_->path, status);
  return {};
}

}  // namespace semel::engine
