#include "rocksdb/connection.hpp"

#include <fmt/format.h>
#include <rocksdb/comparator.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "rocksdb/text.hpp"

namespace semel::rocksdb {

using store::Access;
using store::Row;
using store::Table;

namespace {

namespace db = ::rocksdb;

/// Behind all keys that begin with `prefix`: no text in UTF-8 has this byte.
std::string behind(std::string prefix) {
  return prefix += '\xff';
}

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

Result<std::vector<std::string>> Connection::columns_of(const Table& table) {
  auto kept = get(std::string(table.name));
  if (!kept) return tl::unexpected(kept.error());
  std::vector<std::string> names;
  for (const auto& name : nlohmann::json::parse(*kept, nullptr, false)) {
    if (name.is_string()) names.push_back(name);
  }
  return names;
}

/// A table is there once its name is a key, with the names of its columns.
Result<void> Connection::make(const Table& table) {
  auto names = nlohmann::json::array();
  for (const auto& column : table.columns) names.push_back(std::string(column.name));
  return put(ledger_family, table.name, names.dump());
}

Result<void> Connection::each(const Table& table, const store::Scan& which, const SeeKey& see) {
  auto* const ledger = family(ledger_family);
  if (ledger == nullptr) return {};
  const auto prefix = key_of(table, which.prefix);
  const auto after = which.after.empty() ? std::string() : behind(key_of(table, which.after));
  db::ReadOptions options;
  options.snapshot = snapshot_;
  auto* const base = opened_->db->NewIterator(options, ledger);
  const std::unique_ptr<db::Iterator> at(batch_ ? batch_->NewIteratorWithBase(ledger, base) : base);
  if (which.backwards) {
    at->SeekForPrev(behind(prefix));
  } else {
    at->Seek(after.empty() ? prefix : after);
  }
  while (at->Valid() && at->key().starts_with(prefix)) {
    if (which.backwards && !after.empty() && at->key().compare(after) <= 0) break;
    auto goes_on = see(at->key().ToStringView(), at->value().ToStringView());
    if (!goes_on) return tl::unexpected(goes_on.error());
    if (!*goes_on) break;
    which.backwards ? at->Prev() : at->Next();
  }
  return at->status().ok() ? Result<void>() : failed(at->status());
}

Result<void> Connection::scan(const Table& table, const store::Scan& which, const See& see) {
  return each(table, which, [&](std::string_view key, std::string_view value) -> Result<bool> {
    const auto row = row_of(table, value);
    if (row) return see(*row);
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("RocksDB, {}: the ledger's row {} is no row of {}: somebody has changed "
                    "it. Restore the database from a backup",
                    database_->directory(), key, table.name));
  });
}

Result<std::uint64_t> Connection::count(const Table& table, const Row& prefix) {
  std::uint64_t all = 0;
  auto counted = each(table, {.prefix = prefix}, [&](auto, auto) -> Result<bool> {
    ++all;
    return true;
  });
  return counted ? Result<std::uint64_t>(all) : tl::unexpected(counted.error());
}

Result<void> Connection::add(const Table& table, const Row& row) {
  const Row cells(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.key));
  auto there = get(key_of(table, cells));
  if (!there) return tl::unexpected(there.error());
  if (there->empty()) return replace(table, row);
  return fail(ErrorKind::fatal, Cause::internal,
              fmt::format("RocksDB, {}: the ledger has the row {} already", database_->directory(),
                          key_of(table, cells)));
}

Result<void> Connection::replace(const Table& table, const Row& row) {
  const Row cells(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.key));
  return put(ledger_family, key_of(table, cells), value_of(table, row));
}

Result<void> Connection::erase(const Table& table, const Row& prefix) {
  std::vector<std::string> keys;
  auto found = each(table, {.prefix = prefix}, [&](std::string_view key, auto) -> Result<bool> {
    keys.emplace_back(key);
    return true;
  });
  if (!found) return found;
  for (const auto& key : keys) {
    if (const auto status = batch_->Delete(family(ledger_family), key); !status.ok()) {
      return failed(status);
    }
  }
  return {};
}

}  // namespace semel::rocksdb
