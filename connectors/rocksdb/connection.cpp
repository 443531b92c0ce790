#include "rocksdb/connection.hpp"

#include <rocksdb/comparator.h>

#include <chrono>

namespace semel::rocksdb {

using store::Access;

namespace {

namespace db = ::rocksdb;

}  // namespace

Result<void> Connection::begin(Access access) {
  roll_back();
  if (access == Access::reading) {
    auto opened = database_->look();
    if (!opened) return tl::unexpected(opened.error());
    opened_ = *std::move(opened);
    if (opened_ && !opened_->for_reading_only) snapshot_ = opened_->db->GetSnapshot();
    return {};
  }
  writer_ = std::unique_lock(database_->writer, std::defer_lock);
  constexpr std::chrono::milliseconds look{10};
  while (!*stop_ && !writer_.try_lock_for(look)) {
  }
  if (*stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  auto opened = database_->open();
  if (!opened) return tl::unexpected(opened.error());
  opened_ = *std::move(opened);
  batch_ = std::make_unique<db::WriteBatchWithIndex>(db::BytewiseComparator(), 0, true);
  return {};
}

Result<void> Connection::commit() {
  if (!batch_ || batch_->GetWriteBatch()->Count() == 0) return {};
  db::WriteOptions synced;
  synced.sync = true;
  const auto status = opened_->db->Write(synced, batch_->GetWriteBatch());
  if (status.ok()) return {};
  auto error = error_of(status, database_->directory());
  // Where there was no room for it, it is not there, as the guard sees before it is tried again.
  if (error.kind != ErrorKind::unavailable || !status.IsNoSpace()) error.kind = ErrorKind::in_doubt;
  database_->drop();
  return tl::unexpected(std::move(error));
}

void Connection::roll_back() noexcept {
  batch_.reset();
  if (snapshot_ != nullptr) opened_->db->ReleaseSnapshot(snapshot_);
  snapshot_ = nullptr;
  opened_.reset();
  writer_ = {};
}

db::ColumnFamilyHandle* Connection::family(const std::string& name) const {
  if (!opened_) return nullptr;
  const auto found = opened_->families.find(name);
  return found == opened_->families.end() ? nullptr : found->second;
}

Result<void> Connection::put(const std::string& family_name, std::string_view key,
                             std::string_view value) {
  if (!opened_) return {};  // of a rehearsal: nothing is there, and nothing comes of it
  const auto status = batch_->Put(family(family_name), db::Slice(key.data(), key.size()),
                                  db::Slice(value.data(), value.size()));
  return status.ok() ? Result<void>() : failed(status);
}

Result<void> Connection::put_row(std::string_view key, std::string_view value) {
  return put(database_->family(), key, value);
}

/// Empty: it is not there.
Result<std::string> Connection::get(const std::string& key) {
  std::string value;
  auto* const ledger = family(ledger_family);
  if (ledger == nullptr) return value;
  db::ReadOptions options;
  options.snapshot = snapshot_;
  const auto status =
      batch_ ? batch_->GetFromBatchAndDB(opened_->db.get(), options, ledger, key, &value)
             : opened_->db->Get(options, ledger, key, &value);
  if (status.IsNotFound()) return std::string();
  return status.ok() ? Result<std::string>(value) : failed(status);
}

Result<void> Connection::put(const std::string& key, const std::string& value) {
  return put(ledger_family, key, value);
}

Result<void> Connection::remove(const std::string& key) {
  const auto status = batch_->Delete(family(ledger_family), key);
  return status.ok() ? Result<void>() : failed(status);
}

Result<void> Connection::walk(const std::string& from, bool backwards, const SeeKey& see) {
  auto* const ledger = family(ledger_family);
  if (ledger == nullptr) return {};
  db::ReadOptions options;
  options.snapshot = snapshot_;
  auto* const base = opened_->db->NewIterator(options, ledger);
  const std::unique_ptr<db::Iterator> at(batch_ ? batch_->NewIteratorWithBase(ledger, base) : base);
  backwards ? at->SeekForPrev(from) : at->Seek(from);
  while (at->Valid()) {
    auto goes_on = see(at->key().ToStringView(), at->value().ToStringView());
    if (!goes_on) return tl::unexpected(goes_on.error());
    if (!*goes_on) break;
    backwards ? at->Prev() : at->Next();
  }
  return at->status().ok() ? Result<void>() : failed(at->status());
}

}  // namespace semel::rocksdb
