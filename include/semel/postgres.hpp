// Your own transaction in PostgreSQL: the ledger, and what goes into the transaction, as text. Any
// client library will do: libpqxx 6 and 7, libpq; nothing here includes one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <semel/api.hpp>
#include <semel/consumer.hpp>

namespace semel::postgres {

/// How the ledger is kept.
struct LedgerOptions {
  std::string schema;  ///< of the ledger's tables; empty: where the pipeline has one, else the
                       ///< first of the search path
  bool create = true;  ///< make the tables where they are missing; else `semel sql` prints them
  std::int64_t connect_timeout_ms = 10'000;                ///< of a connection of the ledger's own
  std::int64_t keep_commits_hours = std::int64_t{24} * 7;  ///< of the history; 0: for ever
};

/// A ledger for DirectConsumer. `dsn`: libpq's connection string or URI, secret; the database and
/// role of your own connection, or another role that shares one of its roles. It opens sessions of
/// its own; none is ever in your transaction.
SEMEL_API LedgerFactory ledger(std::string dsn, LedgerOptions options = {});

/// Goes first into the transaction, after BEGIN: some statements, so libpq's PQexec() and not
/// PQexecParams(). Without it the advance is refused, and without a BEGIN it is refused itself
/// (SQLSTATE 25P01). From then on a COMMIT without the advance is refused (SQLSTATE 23503, the
/// range in its detail), and so is SET CONSTRAINTS ALL IMMEDIATE. Names the session for the
/// transaction, so that it can be ended should it hang or its end be in doubt; bounds its waiting
/// for locks by 60 s where nothing bounds it; takes away what would end it while it waits for Kafka
/// (idle_in_transaction_session_timeout, transaction_timeout); sees to it that COMMIT waits for the
/// disk. The server refuses where another owner has taken over, and where session_replication_role
/// is replica: SQLSTATE 22P02, the reason in its message. Throws Failed where the range's ledger is
/// none of PostgreSQL.
SEMEL_API std::string begin_sql(const Range& range);

/// Goes into the transaction after the range was read to its end, before COMMIT; the last statement
/// best of all, since it locks the ledger's row. One statement: moves the ledger by
/// compare-and-set, writes history and dead letters. Where it does not fit (another owner,
/// committed already, run twice) the server refuses with SQLSTATE 22P02 and the reason, and COMMIT
/// rolls back. Throws Failed where the range was not read to its end, or its ledger is none of
/// PostgreSQL.
SEMEL_API std::string advance_sql(const Range& range);

/// begin_sql() on a transaction that has exec(std::string), as libpqxx's have. Throws what that
/// throws.
template <class Transaction>
void begin(Transaction& transaction, const Range& range) {
  transaction.exec(begin_sql(range));
}
/// advance_sql() likewise.
template <class Transaction>
void advance(Transaction& transaction, const Range& range) {
  transaction.exec(advance_sql(range));
}

/// The whole of it: begin, work(transaction, range), advance, commit, and what is in doubt is
/// settled by the ledger. `work` reads `range` to its end and stores what it likes. Returns when
/// all is committed. What is thrown goes through, and nothing is committed then; the range comes
/// again. After a lost connection it is for the caller to open another one.
///
/// `Transaction` is made of `connection` and has exec(std::string) and commit(), and rolls back in
/// its destructor: pqxx::work.
template <class Transaction, class Connection, class Work>
void transact(Connection& connection, Range range, Work&& work) {
  bool committing = false;
  try {
    Transaction transaction(connection);
    begin(transaction, range);
    std::forward<Work>(work)(transaction, range);
    advance(transaction, range);
    committing = true;
    transaction.commit();
  } catch (...) {
    // Whether a commit that was answered by an exception happened, only the ledger knows.
    if (!committing) range.failed();
    if (!committing || !range.settle()) throw;
    return;
  }
  range.committed();
}

}  // namespace semel::postgres
