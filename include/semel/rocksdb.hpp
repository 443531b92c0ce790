// Your own transaction in RocksDB: the ledger in a database that your program has open, and its
// move in the batch or transaction that has your rows. Needs no header of RocksDB, and compiles
// against the one that your program includes before it uses this.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <semel/api.hpp>
#include <semel/consumer.hpp>

// As RocksDB's headers declare them.
namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Iterator;
class Slice;
class Transaction;
class WriteBatch;
struct ReadOptions;
struct WriteOptions;
}  // namespace rocksdb

namespace semel::rocksdb {

/// The name of the column family that has the ledger, and nothing else. Stored: do not change.
inline constexpr auto ledger_family = "semel";

/// How the ledger is kept.
struct LedgerOptions {
  std::int64_t keep_commits_hours = std::int64_t{24} * 7;  ///< of the history; 0: for ever
};

/// What RocksDB said, for who has none of its headers.
struct Answer {
  /// As far as it matters here.
  enum class Kind : std::uint8_t {
    ok,         ///< done
    not_found,  ///< the key is not there
    refused,    ///< nothing was written, since another one was faster or has a lock
    not_taken,  ///< there is something in it that such a database does not take
    broken,     ///< what of it is on the disk, only opening the database anew can tell
  };
  Kind kind = Kind::ok;  ///< how it went
  std::string said;      ///< for people; empty where it is ok
};

/// The ledger's column family, in a database that the program has open. ledger() makes one; nobody
/// else has to. Thread safe.
class SEMEL_API ProgramDatabase {
 public:
  /// By key: the new value; absent: the key is erased.
  using Changes = std::map<std::string, std::optional<std::string>>;
  /// False: no more. Calls nothing of the database.
  using See = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~ProgramDatabase();

  virtual std::string directory() const = 0;  ///< of the database, as it was opened
  virtual std::string identity() const = 0;   ///< that RocksDB gave the database
  /// Why no ledger can be kept there as it was opened; empty: one can.
  virtual std::string unfit() const = 0;
  /// `value` is what the key has, unless it is not found.
  virtual Answer get(const std::string& key, std::string& value) const = 0;
  /// In the order of keys from `from` on; `backwards`: from it, or the greatest below it,
  /// downwards.
  virtual Answer each(const std::string& from, bool backwards, const See& see) const = 0;
  /// All or nothing, on the disk once it has returned.
  virtual Answer write(const Changes& changes) const = 0;
  virtual ::rocksdb::DB& db() const = 0;                      ///< as ledger() was given it
  virtual ::rocksdb::ColumnFamilyHandle& family() const = 0;  ///< as ledger() was given it
};

/// A type of RocksDB's that has to be complete only where a template is used.
template <class, class Type>
struct Later {
  using type = Type;  ///< it
};

/// What a status of RocksDB's means.
template <class Status>
Answer answer_of(const Status& status) {
  if (status.ok()) return {};
  const bool refused = status.IsBusy() || status.IsTryAgain() || status.IsTimedOut() ||
                       status.IsIncomplete() || status.IsExpired();
  const bool not_taken = status.IsNotSupported() || status.IsInvalidArgument();
  return {status.IsNotFound() ? Answer::Kind::not_found
          : refused           ? Answer::Kind::refused
          : not_taken         ? Answer::Kind::not_taken
                              : Answer::Kind::broken,
          status.ToString()};
}

/// The same of a write into `db`.
template <class Db, class Status>
Answer answer_of_write(Db& db, const Status& status) {
  auto answer = answer_of(status);
  // With unordered writes that may be found when it is in the log already, and they go on.
  if (answer.kind == Answer::Kind::not_taken && db.GetDBOptions().unordered_write) {
    answer.kind = Answer::Kind::broken;
  }
  return answer;
}

/// A ProgramDatabase over whatever `Db` is: DB or one of those that are made of it.
template <class Db>
class DatabaseOf final : public ProgramDatabase {
 public:
  /// Borrows both.
  DatabaseOf(Db& db, ::rocksdb::ColumnFamilyHandle& family) : db_(&db), family_(&family) {}

  std::string directory() const override { return db_->GetName(); }
  std::string identity() const override {
    std::string identity;
    (void)db_->GetDbIdentity(identity);
    return identity;
  }
  std::string unfit() const override {
    if (family_->GetName() != ledger_family) {
      return "the column family is " + family_->GetName() + ", and has to be " + ledger_family;
    }
    const auto options = db_->GetOptions(family_);
    if (std::string_view(options.comparator->Name()) != "leveldb.BytewiseComparator") {
      return "the column family has a comparator of its own";
    }
    if (options.compaction_filter != nullptr || options.compaction_filter_factory != nullptr) {
      return "the column family has a compaction filter, or is one of DBWithTTL's, and would lose "
             "rows";
    }
    using Style = decltype(options.compaction_style);
    if (options.compaction_style == Style::kCompactionStyleFIFO) {
      return "the column family drops its oldest rows (compaction style FIFO)";
    }
    using Mode = decltype(options.wal_recovery_mode);
    if (options.wal_recovery_mode == Mode::kSkipAnyCorruptedRecords) {
      return "the database goes on behind what its log has lost (wal_recovery_mode "
             "kSkipAnyCorruptedRecords)";
    }
    if (options.best_efforts_recovery && !options.atomic_flush) {
      return "the database is opened without its log, each column family as far as it was flushed "
             "(best_efforts_recovery without atomic_flush)";
    }
    return "";
  }

  Answer get(const std::string& key, std::string& value) const override {
    return answer_of(db_->Get(ReadOptions(), family_, key, &value));
  }
  Answer each(const std::string& from, bool backwards, const See& see) const override {
    ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<typename Later<Db, ::rocksdb::Iterator>::type> at(
        db_->NewIterator(options, family_));
    backwards ? at->SeekForPrev(from) : at->Seek(from);
    while (at->Valid()) {
      const auto key = at->key();
      const auto value = at->value();
      if (!see({key.data(), key.size()}, {value.data(), value.size()})) break;
      backwards ? at->Prev() : at->Next();
    }
    return answer_of(at->status());
  }
  Answer write(const Changes& changes) const override {
    typename Later<Db, ::rocksdb::WriteBatch>::type batch;
    for (const auto& [key, value] : changes) {
      const auto status = value ? batch.Put(family_, key, *value) : batch.Delete(family_, key);
      if (!status.ok()) return answer_of(status);
    }
    typename Later<Db, ::rocksdb::WriteOptions>::type synced;
    synced.sync = true;
    return answer_of(db_->Write(synced, &batch));
  }
  ::rocksdb::DB& db() const override { return *db_; }
  ::rocksdb::ColumnFamilyHandle& family() const override { return *family_; }

 private:
  using ReadOptions = typename Later<Db, ::rocksdb::ReadOptions>::type;

  typename Later<Db, ::rocksdb::DB>::type* db_;
  typename Later<Db, ::rocksdb::ColumnFamilyHandle>::type* family_;
};

/// A ledger for DirectConsumer in `database`. The other ledger() is easier to have.
SEMEL_API LedgerFactory ledger(std::shared_ptr<const ProgramDatabase> database,
                               LedgerOptions options = {});

/// A ledger for DirectConsumer in a database that your program has opened for writing, with
/// `family` (named ledger_family, of RocksDB's default options) among its column families. Borrows
/// both for as long as the consumer. What cannot keep a ledger is refused by the consumer's
/// start() or first next(), as a fatal error of the configuration.
template <class Db>
LedgerFactory ledger(Db& db, ::rocksdb::ColumnFamilyHandle& family, LedgerOptions options = {}) {
  return ledger(std::make_shared<const DatabaseOf<Db>>(db, family), options);
}

/// What the ledger's move of a range changes; as long as it is there, nobody else in this process
/// changes a ledger in the same database. For the templates below. Stays in its thread.
class SEMEL_API Advance {
 public:
  /// Waits for who else writes into the ledger, bounded. Throws Failed where the ledger refuses to
  /// move (another owner has taken over, the range was committed already), where the range was not
  /// read to its end, and where its ledger is none of a program's RocksDB.
  explicit Advance(const Range& range);
  Advance(const Advance&) = delete;
  Advance& operator=(const Advance&) = delete;
  ~Advance();

  /// They go into the column family that the ledger has.
  const ProgramDatabase::Changes& changes() const;
  /// Where they go. As long as the consumer.
  const ProgramDatabase& database() const;
  /// The last call: what became of the write that had the changes in it. Lets others in. Throws
  /// Failed where it is not ok: nothing was written; or it is broken, and then everything that is
  /// asked of a ledger in this database says so until its consumers, all of them, are destroyed.
  void end(const Answer& written);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Puts what `advance` changes into `batch`: a WriteBatch, a WriteBatchWithIndex, a Transaction.
template <class Batch>
Answer put_into(Batch& batch, const Advance& advance) {
  auto* const family = &advance.database().family();
  for (const auto& [key, value] : advance.changes()) {
    const auto status = value ? batch.Put(family, key, *value) : batch.Delete(family, key);
    if (!status.ok()) return {Answer::Kind::refused, status.ToString()};
  }
  return {};
}

/// Tells `range` what came of the write that had `advance` in it, and then Advance::end().
inline void end_write(Range& range, Advance& advance, const Answer& written) {
  if (written.kind == Answer::Kind::refused) range.conflicted(written.said);
  advance.end(written);
}

/// Does `step`; what it throws is why `range` failed, and goes through.
template <class Step>
void or_failed(Range& range, Step&& step) {
  try {
    std::forward<Step>(step)();
  } catch (...) {
    range.failed();
    throw;
  }
}

/// Whether a transaction is still the one that was begun: what a transaction keeps for its commit
/// goes with each Commit() and Rollback(), of every kind, while GetState() tells of some only. What
/// is in there is written by no commit without Prepare(), and is no row.
template <class Transaction>
class Mark {
 public:
  /// Borrows it.
  explicit Mark(Transaction& transaction) : transaction_(&transaction) {
    (void)transaction.GetCommitTimeWriteBatch()->PutLogData(std::string(text));
  }
  /// Neither committed, prepared nor rolled back.
  bool is_there() const {
    const auto state = transaction_->GetState();
    return has_text() && (state == Transaction::STARTED || state == Transaction::LOCKS_STOLEN);
  }
  /// It is certain that nothing of it is stored. OptimisticTransaction does not tell it from a
  /// commit; it is the one that has no number.
  bool rolled_back() const {
    const auto state = transaction_->GetState();
    return state == Transaction::ROLLEDBACK ||
           (state == Transaction::STARTED && !has_text() && transaction_->GetID() != 0);
  }

 private:
  static constexpr std::string_view text = "semel: neither committed nor rolled back";
  bool has_text() const {
    return transaction_->GetCommitTimeWriteBatch()->Data().find(text) != std::string::npos;
  }
  Transaction* transaction_;
};

/// For a range whose function has ended the transaction itself. Throws Failed.
[[noreturn]] SEMEL_API void refuse_ended(Range& range, bool rolled_back);

/// For a range whose batch somebody has written: ends its consumer. Throws Failed.
[[noreturn]] SEMEL_API void refuse_written(Range& range);

/// Whether somebody has written `batch`, and not emptied it since: RocksDB puts the number of the
/// write, which is never 0, into the first eight bytes.
template <class Batch>
bool is_written(Batch& batch) {
  const auto& data = batch.GetWriteBatch()->Data();
  return data.substr(0, sizeof(std::uint64_t)).find_first_not_of('\0') != std::string::npos;
}

/// By hand: writes `batch` and the ledger's move as one synced write, and says committed(). `batch`
/// is a WriteBatch or a WriteBatchWithIndex with what came of `range`, and is empty afterwards,
/// whatever happened; the range was read to its end. Do not write the batch yourself: then its rows
/// are stored without their position, and the consumer ends with a Failed that says so (but not
/// where you have emptied it since). Throws Failed: nothing is stored then, and the range comes
/// again; but after a write that failed on the disk, the consumer ends, and what is stored is told
/// by a start on the database, opened anew.
template <class Batch>
void commit(Range range, Batch& batch) {
  struct Emptied {
    Batch& batch;
    ~Emptied() { batch.Clear(); }
  };
  const Emptied emptied{batch};
  if (is_written(batch)) refuse_written(range);
  or_failed(range, [&] {
    Advance advance(range);
    if (const auto put = put_into(batch, advance); put.kind != Answer::Kind::ok) advance.end(put);
    typename Later<Batch, ::rocksdb::WriteOptions>::type synced;
    synced.sync = true;
    typename Later<Batch, ::rocksdb::DB>::type& db = advance.database().db();
    end_write(range, advance, answer_of_write(db, db.Write(synced, batch.GetWriteBatch())));
  });
  range.committed();
}

/// The whole of it: work(batch, range), and commit(). `work` reads `range` to its end and puts what
/// it likes into the batch. `Batch`: WriteBatch or WriteBatchWithIndex. What is thrown goes
/// through; else as commit().
template <class Batch, class Work>
void transact(Range range, Work&& work) {
  Batch batch;
  try {
    std::forward<Work>(work)(batch, range);
  } catch (...) {
    if (is_written(batch)) refuse_written(range);
    range.failed();
    throw;
  }
  commit(std::move(range), batch);
}

/// The same with a Transaction: begun in `db`, a TransactionDB or an OptimisticTransactionDB, the
/// very object that ledger() was given; work(transaction, range); committed, synced. `work` neither
/// commits, prepares nor rolls it back: it throws to give up. Throws Failed where it did; where
/// something may be stored then, the consumer has ended. A commit that RocksDB refuses, since
/// another transaction was faster, throws Failed, too: nothing is stored, and the range comes again
/// (Range::conflicted()).
template <class Db, class Work>
void transact(Db& db, Range range, Work&& work) {
  typename Later<Db, ::rocksdb::WriteOptions>::type synced;
  synced.sync = true;
  using Transaction = typename Later<Db, ::rocksdb::Transaction>::type;
  or_failed(range, [&] {
    const std::unique_ptr<Transaction> transaction(db.BeginTransaction(synced));
    const Mark<Transaction> mark(*transaction);
    std::forward<Work>(work)(*transaction, range);
    if (!mark.is_there()) refuse_ended(range, mark.rolled_back());
    Advance advance(range);
    if (&advance.database().db() != &db) {
      advance.end(
          {Answer::Kind::refused, "the ledger is in another database than the transaction"});
    }
    const auto put = put_into(*transaction, advance);
    if (put.kind != Answer::Kind::ok) advance.end(put);
    transaction->SetWriteOptions(synced);
    end_write(range, advance, answer_of_write(db, transaction->Commit()));
  });
  range.committed();
}

}  // namespace semel::rocksdb
