// A store whose tables are keys and values, as text.* spells them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace semel::rocksdb {

/// Who derives from it says how a key is got, put and erased, and in which order they stand.
class KeyedStore : public store::Store {
 public:
  Result<std::vector<std::string>> columns_of(const store::Table& table) override;
  Result<void> make(const store::Table& table) override;
  Result<void> scan(const store::Table& table, const store::Scan& which, const See& see) override;
  Result<std::uint64_t> count(const store::Table& table, const store::Row& prefix) override;
  Result<void> add(const store::Table& table, const store::Row& row) override;
  Result<void> replace(const store::Table& table, const store::Row& row) override;
  Result<void> erase(const store::Table& table, const store::Row& prefix) override;

 protected:
  /// False: no more.
  using SeeKey = std::function<Result<bool>(std::string_view key, std::string_view value)>;

  /// Where it is, for people.
  virtual const std::string& directory() const = 0;
  // Of the ledger's column family, as the transaction sees it.
  /// Empty: it is not there.
  virtual Result<std::string> get(const std::string& key) = 0;
  virtual Result<void> put(const std::string& key, const std::string& value) = 0;
  virtual Result<void> remove(const std::string& key) = 0;
  /// From `from` on, upwards; or from `from`, or the greatest below it, downwards.
  virtual Result<void> walk(const std::string& from, bool backwards, const SeeKey& see) = 0;

 private:
  Result<void> each(const store::Table& table, const store::Scan& which, const SeeKey& see);
};

}  // namespace semel::rocksdb
