// Your own transaction in a file of SQLite: the ledger, and what goes into the transaction, as text
// for your own connection. Needs no header of SQLite, and is no obstacle to one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <semel/api.hpp>
#include <semel/consumer.hpp>

// As sqlite3.h declares them; called in your program, in the library of SQLite that it is linked
// to.
struct sqlite3;
extern "C" {
int sqlite3_exec(sqlite3*, const char*, int (*)(void*, int, char**, char**), void*, char**);
const char* sqlite3_errmsg(sqlite3*);
int sqlite3_get_autocommit(sqlite3*);
}

namespace semel::sqlite {

/// How the ledger is kept.
struct LedgerOptions {
  std::int64_t busy_timeout_ms = 5'000;  ///< that others may keep the ledger waiting at once
  std::int64_t keep_commits_hours = std::int64_t{24} * 7;  ///< of the history; 0: for ever
};

/// A ledger for DirectConsumer, in `file`, which has to exist and is switched to SQLite's
/// write-ahead log. It opens connections of its own to the file: the program has to use the shared
/// library of SQLite that libsemel uses, since two copies of SQLite in one process lose each
/// other's locks.
SEMEL_API LedgerFactory ledger(std::string file, LedgerOptions options = {});

/// Goes first into the transaction, after BEGIN IMMEDIATE, on a connection whose main database is
/// the file. Marks in the ledger that the range is being stored, and the advance takes the mark
/// away: where one stays behind, rows were committed without their position, and the consumer ends
/// with an error that says which, also after a new start. Fails as advance_sql() does. Throws
/// Failed where the range's ledger is none of SQLite.
SEMEL_API std::string begin_sql(const Range& range);

/// Goes into the transaction after the range was read to its end, before COMMIT: some statements,
/// for sqlite3_exec(). Where it does not fit (another owner, committed already, run twice,
/// begin_sql() forgotten) the first of them fails with
/// SQLITE_CONSTRAINT_NOTNULL and *rolls the transaction back*, so that a COMMIT that follows fails,
/// too. Throws Failed where the range was not read to its end, or its ledger is none of SQLite.
SEMEL_API std::string advance_sql(const Range& range);

/// To be thrown, retriable: what SQLite said of a range. For the templates below.
SEMEL_API Failed refusal(const Range& range, const std::string& why);
SEMEL_API Failed failure(const Range& range, const std::string& doing, const std::string& why);

/// `sql` of `range` that only a transaction may run. For the templates below.
inline void run_inside(::sqlite3* connection, const Range& range, const char* what,
                       const std::string& sql) {
  if (sqlite3_get_autocommit(connection) != 0) {
    throw failure(range, what,
                  "no transaction is open: was BEGIN forgotten, or was it ended by a COMMIT?");
  }
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == 0) return;
  const std::string why = sqlite3_errmsg(connection);
  if (sqlite3_get_autocommit(connection) != 0) throw refusal(range, why);
  throw failure(range, what, why);
}

/// begin_sql(), run on `connection`. Throws Failed where it is refused, and where no transaction is
/// open, since what is stored then would not be taken back.
inline void begin(::sqlite3* connection, const Range& range) {
  run_inside(connection, range, "its begin", begin_sql(range));
}
/// advance_sql() likewise.
inline void advance(::sqlite3* connection, const Range& range) {
  run_inside(connection, range, "the advance", advance_sql(range));
}

/// The whole of it: BEGIN IMMEDIATE, begin, work(connection, range), advance, COMMIT. `work` reads
/// `range` to its end and stores what it likes; nobody else writes into the file meanwhile. Returns
/// when all is committed. What is thrown goes through (Failed, retriable, for what SQLite says),
/// all is rolled back then, and the range comes again.
template <class Work>
void transact(::sqlite3* connection, Range range, Work&& work) {
  const auto run = [&](const char* sql) {
    if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == 0) return;
    throw failure(range, sql, sqlite3_errmsg(connection));
  };
  try {
    run("BEGIN IMMEDIATE");
  } catch (...) {
    // What is open there is somebody else's.
    range.failed();
    throw;
  }
  bool committing = false;
  try {
    begin(connection, range);
    std::forward<Work>(work)(connection, range);
    advance(connection, range);
    committing = true;
    run("COMMIT");
  } catch (...) {
    if (sqlite3_get_autocommit(connection) == 0) {
      sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    // Whether a commit that was answered by an error happened, only the ledger knows.
    if (!committing) range.failed();
    if (!committing || !range.settle()) throw;
    return;
  }
  range.committed();
}

}  // namespace semel::sqlite
