#include "state/store.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "base/lock_holder.hpp"

namespace semel::state {

namespace {

// Stored: do not change.
constexpr auto family_of_state = "state";
constexpr auto key_of_base = "base";
constexpr auto key_of_prepared = "prepared";
constexpr auto key_of_prepared_delta = "prepared.delta";
constexpr auto key_of_undo = "undo";
constexpr auto key_of_undo_delta = "undo.delta";
constexpr auto key_of_undo_before = "undo.before";

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

}  // namespace

struct Store::Impl {
  std::string path;
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  ///< what is known of the state; the state
  mutable std::mutex mutex;                            ///< of `stored`
  Stored stored;

  ~Impl() {
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  }

  rocksdb::ColumnFamilyHandle* meta() const { return families[0]; }
  rocksdb::ColumnFamilyHandle* state() const { return families[1]; }

  tl::unexpected<Error> failed(const rocksdb::Status& status) const {
    const auto* advice = status.IsCorruption()
                             ? "Restore a checkpoint, or begin with an empty state"
                             : "Free space or correct the permissions";
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {}. {}", path, status.ToString(), advice));
  }
  tl::unexpected<Error> unreadable(std::string_view what) const {
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {} cannot be read: it is damaged, or another version of "
                            "semel wrote it",
                            path, what));
  }

  Result<std::optional<std::string>> meta_text(const char* key) const {
    std::string text;
    const auto status = db->Get(rocksdb::ReadOptions(), meta(), key, &text);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return failed(status);
    return std::optional(std::move(text));
  }
  Result<std::optional<Prepared>> read_prepared(const char* key) const {
    const auto text = meta_text(key);
    if (!text) return tl::unexpected(text.error());
    if (!*text) return std::optional<Prepared>();
    auto prepared = decode_prepared(**text);
    if (!prepared) return unreadable(key);
    return prepared;
  }
  Result<Delta> read_delta(const char* key) const {
    const auto text = meta_text(key);
    if (!text) return tl::unexpected(text.error());
    auto delta = *text ? decode_delta(**text) : std::nullopt;
    if (!delta) return unreadable(key);
    return *std::move(delta);
  }

  Result<void> load() {
    const auto base = meta_text(key_of_base);
    if (!base) return tl::unexpected(base.error());
    if (*base) {
      const auto version = decode_version(**base);
      if (!version) return unreadable(key_of_base);
      stored.base = *version;
    }
    auto prepared = read_prepared(key_of_prepared);
    if (!prepared) return tl::unexpected(prepared.error());
    auto undo = read_prepared(key_of_undo);
    if (!undo) return tl::unexpected(undo.error());
    stored.prepared = *std::move(prepared);
    stored.undo = *std::move(undo);
    return {};
  }

  Result<void> write(rocksdb::WriteBatch& batch, bool sync, Stored then) {
    rocksdb::WriteOptions how;
    how.sync = sync;
    const auto status = db->Write(how, &batch);
    if (!status.ok()) return failed(status);
    const std::lock_guard lock(mutex);
    stored = std::move(then);
    return {};
  }

  void put(rocksdb::WriteBatch& batch, const Delta& delta) const {
    for (const auto& [key, value] : delta) {
      if (value) {
        batch.Put(state(), key, *value);
      } else {
        batch.Delete(state(), key);
      }
    }
  }
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return fail(
        ErrorKind::fatal, Cause::state,
        fmt::format("state in {}: the directory cannot be made: {}", directory, error.message()));
  }
  auto impl = std::make_unique<Impl>();
  impl->path = directory;
  const auto options = options_of_store();
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(options, directory,
                        {{rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options)},
                         {family_of_state, rocksdb::ColumnFamilyOptions(options)}},
                        &impl->families, &db);
  if (!status.ok()) {
    if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
      return fail(ErrorKind::fatal, Cause::state,
                  fmt::format("state in {}: {} has it. Only one process may run a pipeline on one "
                              "state: end that one first",
                              directory, lock_holder(directory + "/LOCK", 0)));
    }
    return impl->failed(status);
  }
  impl->db.reset(db);
  if (auto loaded = impl->load(); !loaded) return tl::unexpected(loaded.error());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Stored Store::stored() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stored;
}

Result<std::optional<std::string>> Store::get(std::string_view key) const {
  std::string value;
  const auto status =
      impl_->db->Get(rocksdb::ReadOptions(), impl_->state(), rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return impl_->failed(status);
  return std::optional(std::move(value));
}

Result<void> Store::scan(
    std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& see) const {
  const std::unique_ptr<rocksdb::Iterator> at(
      impl_->db->NewIterator(rocksdb::ReadOptions(), impl_->state()));
  for (at->Seek(rocksdb::Slice(from)); at->Valid(); at->Next()) {
    if (!see(at->key().ToStringView(), at->value().ToStringView())) break;
  }
  if (!at->status().ok()) return impl_->failed(at->status());
  return {};
}

Result<void> Store::prepare(Prepared prepared, const Delta& delta) {
  auto then = stored();
  if (prepared.parent != then.base) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("a change of {} is to be prepared where the state is at {}",
                            to_string(prepared.parent), to_string(then.base)));
  }
  rocksdb::WriteBatch batch;
  batch.Put(impl_->meta(), key_of_prepared, encode(prepared));
  batch.Put(impl_->meta(), key_of_prepared_delta, encode(delta));
  then.prepared = std::move(prepared);
  return impl_->write(batch, true, std::move(then));
}

Result<Delta> Store::prepared_delta() const {
  return impl_->read_delta(key_of_prepared_delta);
}

Result<void> Store::apply() {
  auto then = stored();
  if (!then.prepared || then.prepared->parent != then.base) {
    return fail(ErrorKind::fatal, Cause::internal, "there is no change of the state to apply");
  }
  const auto delta = prepared_delta();
  if (!delta) return tl::unexpected(delta.error());
  Delta before;
  for (const auto& [key, value] : *delta) {
    auto old = get(key);
    if (!old) return tl::unexpected(old.error());
    before[key] = *std::move(old);
  }
  rocksdb::WriteBatch batch;
  impl_->put(batch, *delta);
  batch.Put(impl_->meta(), key_of_base, encode(then.prepared->version));
  batch.Put(impl_->meta(), key_of_undo, encode(*then.prepared));
  batch.Put(impl_->meta(), key_of_undo_delta, encode(*delta));
  batch.Put(impl_->meta(), key_of_undo_before, encode(before));
  batch.Delete(impl_->meta(), key_of_prepared);
  batch.Delete(impl_->meta(), key_of_prepared_delta);
  then.base = then.prepared->version;
  then.undo = std::move(then.prepared);
  then.prepared.reset();
  return impl_->write(batch, false, std::move(then));
}

Result<void> Store::drop() {
  auto then = stored();
  if (!then.prepared) return {};
  rocksdb::WriteBatch batch;
  batch.Delete(impl_->meta(), key_of_prepared);
  batch.Delete(impl_->meta(), key_of_prepared_delta);
  then.prepared.reset();
  return impl_->write(batch, false, std::move(then));
}

Result<void> Store::take_back() {
  auto then = stored();
  if (!then.undo || then.undo->version != then.base) {
    return fail(ErrorKind::fatal, Cause::internal, "there is no change of the state to take back");
  }
  const auto before = impl_->read_delta(key_of_undo_before);
  if (!before) return tl::unexpected(before.error());
  const auto delta = impl_->read_delta(key_of_undo_delta);
  if (!delta) return tl::unexpected(delta.error());
  rocksdb::WriteBatch batch;
  impl_->put(batch, *before);
  batch.Put(impl_->meta(), key_of_base, encode(then.undo->parent));
  batch.Put(impl_->meta(), key_of_prepared, encode(*then.undo));
  batch.Put(impl_->meta(), key_of_prepared_delta, encode(*delta));
  for (const auto* gone : {key_of_undo, key_of_undo_delta, key_of_undo_before}) {
    batch.Delete(impl_->meta(), gone);
  }
  then.base = then.undo->parent;
  then.prepared = std::move(then.undo);
  then.undo.reset();
  // Synced: it is the prepared one again, which an output may have.
  return impl_->write(batch, true, std::move(then));
}

Result<void> Store::begin_empty(const Version& version) {
  if (auto removed = remove_all({}); !removed) return removed;
  rocksdb::WriteBatch batch;
  batch.Put(impl_->meta(), key_of_base, encode(version));
  for (const auto* gone : {key_of_prepared, key_of_prepared_delta, key_of_undo, key_of_undo_delta,
                           key_of_undo_before}) {
    batch.Delete(impl_->meta(), gone);
  }
  return impl_->write(batch, true, {.base = version, .prepared = {}, .undo = {}});
}

Result<void> Store::remove_all(std::string_view prefix) {
  rocksdb::WriteBatch batch;
  const auto read = scan(prefix, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(prefix)) return false;
    batch.Delete(impl_->state(), rocksdb::Slice(key));
    return true;
  });
  if (!read) return read;
  return impl_->write(batch, true, stored());
}

Result<void> Store::checkpoint(const std::string& directory) const {
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(impl_->db.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(directory);
  if (!status.ok()) return impl_->failed(status);
  return {};
}

}  // namespace semel::state
