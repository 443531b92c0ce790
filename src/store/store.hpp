// What a store with transactions has to be able to do. Who implements Store and Target has a whole
// sink: make_sink(), open_ledger(), check() and sample() (setup.hpp) do the rest, once for all
// stores. Take-over, the guard, history, dead letters, operators' commands are theirs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "record/bad_record.hpp"
#include "record/reader.hpp"
#include "store/tables.hpp"

namespace semel::store {

enum class Access : std::uint8_t { reading, writing };

/// Which rows of a table. All that is absent is no condition.
struct Scan {
  Row prefix{};            ///< their keys begin with these cells
  Row after{};             ///< and are greater than these, which begin with the prefix, as far
                           ///< as they go
  bool backwards = false;  ///< the greatest first
};

/// What became of one record.
struct Put {
  enum class Fate : std::uint8_t { row, suppressed, refused };
  Fate fate = Fate::row;
  std::optional<record::BadRecord> bad{};  ///< why it was refused
  /// Where that was asked for: a row's values as text, by column; absent: NULL.
  std::vector<std::optional<std::string>> stored{};
};

/// The table that gets the rows, as one connection knows it. Used in a transaction of that
/// connection, and gone before it.
class Target {
 public:
  virtual ~Target() = default;

  /// Those that can be written, as they were when this was made.
  virtual const std::vector<record::Column>& columns() const = 0;
  /// A text that is another one where the table has been changed since; maybe also where it has
  /// not: then the columns are compared.
  virtual Result<std::string> version() = 0;
  /// What is put from here on is of this range; a store that keeps ranges apart has to know.
  virtual Result<void> range(const OffsetRange& /*range*/) { return {}; }
  /// Puts one row; `values` are by column, and absent ones take the column's default. What is
  /// refused leaves nothing behind, and the transaction goes on: a store whose transactions end
  /// with the first error uses a savepoint here. `tell`: fill Put::stored. An error is not of the
  /// record; the transaction is rolled back.
  virtual Result<Put> put(std::span<const record::Value> values, bool tell) = 0;
  /// What would become of a row of nothing but defaults: what it meets is no record's. Nothing
  /// stays.
  virtual Result<Put> put_defaults() = 0;
};

/// One connection to a store. Not thread safe. The caller begins and ends transactions, one at a
/// time; everything but set_up() is called within one.
///
/// What has to hold, and is all that exactly-once rests on:
/// - A transaction is all or nothing, and durable once commit() has returned.
/// - What a transaction for writing has read of the ledger stays so until it ends: either there is
///   one writer at a time (begin() waits for it, bounded, then fails as unavailable), or a row that
///   was read is locked, or commit() fails as retriable where another one has written it since.
/// - No transaction for writing is begun before its records are there: nobody waits for Kafka with
///   a lock. A store that takes rows first has them put, and dead letters added, before begin(),
///   and they are of the next transaction; roll_back() drops them.
/// - A transaction for reading sees one moment, and keeps nobody from writing.
/// Calls block for a bounded time, and end soon after the interrupt that open() was given.
///
/// Errors: unavailable, which is waited for without limit (somebody has a lock, there is no
/// connection, a disk is full), retriable, fatal with Cause::sink. After one the caller rolls back.
/// A store that is gone (its file was deleted) fails begin() for writing.
class Store {
 public:
  using See = std::function<bool(const Row&)>;

  virtual ~Store() = default;

  virtual Result<void> begin(Access access) = 0;
  /// in_doubt where it may have happened; retriable where nothing did, because another one has
  /// written what this one had read.
  virtual Result<void> commit() = 0;
  /// Nothing where there is no transaction.
  virtual void roll_back() noexcept = 0;

  /// Of a store that takes rows first (Setup::rows_first): all of them are there, and are made
  /// durable while nobody has a lock. Not in a transaction.
  virtual Result<void> finish_rows() { return {}; }

  /// What has to be changed for good before the first take-over (a journal's mode).
  virtual Result<void> set_up() { return {}; }

  /// Names of the columns that a table of the ledger has; none: there is no such table.
  virtual Result<std::vector<std::string>> columns_of(const Table& table) = 0;
  /// It is not there.
  virtual Result<void> make(const Table& table) = 0;
  /// In the order of keys, until `see` says false; `see` calls nothing of this store.
  virtual Result<void> scan(const Table& table, const Scan& which, const See& see) = 0;
  virtual Result<std::uint64_t> count(const Table& table, const Row& prefix) = 0;
  /// A row that must not be there yet, by its key: else fatal.
  virtual Result<void> add(const Table& table, const Row& row) = 0;
  /// A row, in the place of the one with its key.
  virtual Result<void> replace(const Table& table, const Row& row) = 0;
  /// All rows whose keys begin so.
  virtual Result<void> erase(const Table& table, const Row& prefix) = 0;
  /// The newest row of history() of each partition, in the order of keys, which begin with
  /// `prefix`.
  virtual Result<void> newest_moves(const Row& prefix, const See& see);
  /// Removes rows of history() whose keys begin with `prefix` and that are from before `moment`, at
  /// most so many or so many bytes of them; the newest of a partition stays. True: there are more.
  virtual Result<bool> trim_history(const Row& prefix, const std::string& moment,
                                    std::size_t at_most);
  /// Milliseconds since 1970, by the clock that all owners share.
  virtual Result<std::int64_t> now_ms();

  /// Without a column where the table is not there. Fatal (Cause::sink) where it is seen to take no
  /// row at all.
  virtual Result<std::unique_ptr<Target>> target() = 0;
};

/// A record whose value for `column` is nothing that it can hold; `why` has nothing of the value.
record::BadRecord unfit(const record::Column& column, std::string_view why);

/// What can be done again without harm, in a transaction: begins it, calls `action`, and commits,
/// or rolls back what failed. Where another one was faster it is done again: so a take-over gets
/// its turn beside an owner that commits all the time.
template <class Action>
auto in_transaction(Store& store, Access access, Action action) -> decltype(action()) {
  constexpr int turns = 100;
  for (int turn = 1;; ++turn) {
    if (auto begun = store.begin(access); !begun) {
      store.roll_back();
      return tl::unexpected(begun.error());
    }
    auto result = action();
    bool again = false;
    if (result) {
      if (auto done = store.commit(); !done) {
        auto error = std::move(done.error());
        again = error.kind == ErrorKind::retriable && turn < turns;
        if (error.kind == ErrorKind::in_doubt) error.kind = ErrorKind::unavailable;
        result = tl::unexpected(std::move(error));
      }
    }
    store.roll_back();
    if (!again) return result;
  }
}

}  // namespace semel::store
