#include "rocksdb/keyed_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rocksdb/text.hpp"

namespace semel::rocksdb {

using store::Row;
using store::Table;

namespace {

/// Behind all keys that begin with `prefix`: no text in UTF-8 has this byte.
std::string behind(std::string prefix) {
  return prefix += '\xff';
}

Row key_cells(const Table& table, const Row& row) {
  return Row(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.key));
}

}  // namespace

Result<std::vector<std::string>> KeyedStore::columns_of(const Table& table) {
  auto kept = get(std::string(table.name));
  if (!kept) return tl::unexpected(kept.error());
  std::vector<std::string> names;
  for (const auto& name : nlohmann::json::parse(*kept, nullptr, false)) {
    if (name.is_string()) names.push_back(name);
  }
  return names;
}

/// A table is there once its name is a key, with the names of its columns. Stored: do not change.
Result<void> KeyedStore::make(const Table& table) {
  auto names = nlohmann::json::array();
  for (const auto& column : table.columns) names.push_back(std::string(column.name));
  changes_[std::string(table.name)] = names.dump();
  return {};
}

Result<void> KeyedStore::each(const Table& table, const store::Scan& which, const SeeKey& see) {
  const auto prefix = key_of(table, which.prefix);
  const auto after = which.after.empty() ? std::string() : behind(key_of(table, which.after));
  const auto& from = which.backwards ? behind(prefix) : after.empty() ? prefix : after;
  return walk(from, which.backwards,
              [&](std::string_view key, std::string_view value) -> Result<bool> {
                if (!key.starts_with(prefix)) return false;
                if (which.backwards && !after.empty() && key <= after) return false;
                return see(key, value);
              });
}

Result<void> KeyedStore::scan(const Table& table, const store::Scan& which, const See& see) {
  return each(table, which, [&](std::string_view key, std::string_view value) -> Result<bool> {
    const auto row = row_of(table, value);
    if (row) return see(*row);
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("RocksDB, {}: the ledger's row {} is no row of {}: somebody has changed "
                    "it. Restore the database from a backup",
                    directory(), key, table.name));
  });
}

Result<std::uint64_t> KeyedStore::count(const Table& table, const Row& prefix) {
  std::uint64_t all = 0;
  auto counted = each(table, {.prefix = prefix}, [&](auto, auto) -> Result<bool> {
    ++all;
    return true;
  });
  return counted ? Result<std::uint64_t>(all) : tl::unexpected(counted.error());
}

Result<void> KeyedStore::add(const Table& table, const Row& row) {
  const auto key = key_of(table, key_cells(table, row));
  auto there = get(key);
  if (!there) return tl::unexpected(there.error());
  if (there->empty()) return replace(table, row);
  return fail(ErrorKind::fatal, Cause::internal,
              fmt::format("RocksDB, {}: the ledger has the row {} already", directory(), key));
}

Result<void> KeyedStore::replace(const Table& table, const Row& row) {
  changes_[key_of(table, key_cells(table, row))] = value_of(table, row);
  return {};
}

Result<void> KeyedStore::erase(const Table& table, const Row& prefix) {
  std::vector<std::string> keys;
  auto found = each(table, {.prefix = prefix}, [&](std::string_view key, auto) -> Result<bool> {
    keys.emplace_back(key);
    return true;
  });
  if (!found) return found;
  for (const auto& key : keys) changes_[key] = std::nullopt;
  return {};
}

Result<std::string> KeyedStore::get(const std::string& key) {
  const auto ours = changes_.find(key);
  return ours != changes_.end() ? Result<std::string>(ours->second.value_or("")) : stored(key);
}

/// Two walks in one order, of which that of the changes has the last word.
Result<void> KeyedStore::walk(const std::string& from, bool backwards, const SeeKey& see) {
  std::vector<const Changes::value_type*> ours;
  for (const auto& change : changes_) {
    if (backwards ? change.first <= from : change.first >= from) ours.push_back(&change);
  }
  if (backwards) std::ranges::reverse(ours);
  auto next = ours.begin();
  bool goes_on = true;
  const auto show_change = [&]() -> Result<bool> {
    const auto& [key, value] = **next++;
    return value ? see(key, *value) : Result<bool>(true);
  };
  auto walked = walk_stored(from, backwards, [&](auto key, auto value) -> Result<bool> {
    Result<bool> seen = true;
    while (seen && *seen && next != ours.end() &&
           (backwards ? (*next)->first > key : (*next)->first < key)) {
      seen = show_change();
    }
    const bool changed = next != ours.end() && (*next)->first == key;
    if (seen && *seen) seen = changed ? show_change() : see(key, value);
    goes_on = seen && *seen;
    return seen;
  });
  while (walked && goes_on && next != ours.end()) {
    const auto seen = show_change();
    if (!seen) return tl::unexpected(seen.error());
    goes_on = *seen;
  }
  return walked;
}

}  // namespace semel::rocksdb
