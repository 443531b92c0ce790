// A store whose tables are keys and values, as text.* spells them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace semel::rocksdb {

/// What a transaction changes waits in memory, so that it is read with the rest. Who derives from
/// it says what is stored, and writes changes() when it commits.
class KeyedStore : public store::Store {
 public:
  /// By key: the new value; absent: the key is erased.
  using Changes = std::map<std::string, std::optional<std::string>>;

  /// Of the transaction, so far.
  const Changes& changes() const { return changes_; }

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
  // Of the ledger's column family, without what the transaction changes.
  /// Empty: it is not there.
  virtual Result<std::string> stored(const std::string& key) = 0;
  /// From `from` on, upwards; or from `from`, or the greatest below it, downwards.
  virtual Result<void> walk_stored(const std::string& from, bool backwards, const SeeKey& see) = 0;

  /// The transaction is over.
  void forget_changes() noexcept { changes_.clear(); }

 private:
  Result<std::string> get(const std::string& key);
  Result<void> walk(const std::string& from, bool backwards, const SeeKey& see);
  Result<void> each(const store::Table& table, const store::Scan& which, const SeeKey& see);

  Changes changes_;
};

}  // namespace semel::rocksdb
