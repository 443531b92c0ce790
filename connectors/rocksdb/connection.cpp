#include "rocksdb/connection.hpp"

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
  batch_ = std::make_unique<db::WriteBatch>();
  return {};
}

Result<void> Connection::commit() {
  if (!batch_ || !opened_) return {};  // a rehearsal: nothing is there, and nothing comes of it
  auto* const ledger = family(ledger_family);
  for (const auto& [key, value] : changes()) {
    const auto status = value ? batch_->Put(ledger, key, *value) : batch_->Delete(ledger, key);
    if (!status.ok()) return failed(status);
  }
  if (batch_->Count() == 0) return {};
  db::WriteOptions synced;
  synced.sync = true;
  const auto status = opened_->db->Write(synced, batch_.get());
  if (status.ok()) return {};
  auto error = error_of(status, database_->directory());
  // Where there was no room for it, it is not there, as the guard sees before it is tried again.
  if (error.kind != ErrorKind::unavailable || !status.IsNoSpace()) error.kind = ErrorKind::in_doubt;
  database_->drop();
  return tl::unexpected(std::move(error));
}

void Connection::roll_back() noexcept {
  forget_changes();
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

Result<void> Connection::put_row(std::string_view key, std::string_view value) {
  if (!opened_) return {};
  const auto status = batch_->Put(family(database_->family()), db::Slice(key.data(), key.size()),
                                  db::Slice(value.data(), value.size()));
  return status.ok() ? Result<void>() : failed(status);
}

Result<std::string> Connection::stored(const std::string& key) {
  std::string value;
  auto* const ledger = family(ledger_family);
  if (ledger == nullptr) return value;
  db::ReadOptions options;
  options.snapshot = snapshot_;
  const auto status = opened_->db->Get(options, ledger, key, &value);
  if (status.IsNotFound()) return std::string();
  return status.ok() ? Result<std::string>(value) : failed(status);
}

Result<void> Connection::walk_stored(const std::string& from, bool backwards, const SeeKey& see) {
  auto* const ledger = family(ledger_family);
  if (ledger == nullptr) return {};
  db::ReadOptions options;
  options.snapshot = snapshot_;
  const std::unique_ptr<db::Iterator> at(opened_->db->NewIterator(options, ledger));
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
