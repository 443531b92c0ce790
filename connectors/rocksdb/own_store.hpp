// The ledger in a database that the program itself has open, as a store.
#pragma once

#include <semel/rocksdb.hpp>

#include <memory>
#include <mutex>
#include <string>

#include "rocksdb/keyed_store.hpp"
#include "store/setup.hpp"

namespace semel::rocksdb {

/// What those who have ledgers in one database share.
struct Turn {
  std::timed_mutex mutex;  ///< whoever has a transaction
  std::string broken;      ///< guarded by mutex: a write that failed, and how
};

/// The same for all of this process that have the same database.
std::shared_ptr<Turn> turn_of(const ProgramDatabase& database);

/// A transaction has the turn, also one for reading: a moment, since nobody waits for anything but
/// the disk while he has it.
class OwnStore final : public KeyedStore {
 public:
  OwnStore(std::shared_ptr<const ProgramDatabase> database, std::shared_ptr<Turn> turn,
           store::Interrupt stop, std::chrono::milliseconds patience)
      : database_(std::move(database)),
        turn_(std::move(turn)),
        stop_(std::move(stop)),
        patience_(patience) {}

  Result<void> begin(store::Access access) override;
  Result<void> commit() override;
  void roll_back() noexcept override;
  Result<std::unique_ptr<store::Target>> target() override;

  /// Whether `value` can be read where it was written, which leaves nothing: RocksDB reads by the
  /// database of a handle, and writes by its number into whichever is asked.
  Result<bool> keeps(const std::string& value);
  const ProgramDatabase& database() const { return *database_; }
  /// What became of changes() in somebody else's write; ends the transaction.
  Result<void> written(Answer answer);

 private:
  const std::string& directory() const override { return directory_; }
  Result<std::string> stored(const std::string& key) override;
  Result<void> walk_stored(const std::string& from, bool backwards, const SeeKey& see) override;
  tl::unexpected<Error> failed(const Answer& answer) const;

  std::shared_ptr<const ProgramDatabase> database_;
  std::string directory_ = database_->directory();
  std::shared_ptr<Turn> turn_;
  store::Interrupt stop_;
  std::chrono::milliseconds patience_;
  std::unique_lock<std::timed_mutex> turn_is_ours_;  ///< of the transaction
};

}  // namespace semel::rocksdb
