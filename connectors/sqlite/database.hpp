// One connection to a database file: statements, and what their answers mean.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sqlite/options.hpp"
#include "store/sql.hpp"

namespace semel::sqlite {

inline constexpr store::Dialect dialect{
    .schema = "main.", .integer = "INTEGER", .of_table = "STRICT, WITHOUT ROWID"};

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

/// A connection as a store. Waits for the locks of others at most Options::busy_timeout_ms, and
/// ends whatever it does soon after `stop` is set.
class Database final : public store::SqlStore {
 public:
  /// What all connections of a sink share.
  struct Shared {
    std::mutex writer;  ///< where they queue for the lock of writers, and not at the file
    store::Savepoints savepoints;
  };

  Database(Options options, store::Interrupt stop, std::shared_ptr<Shared> shared)
      : SqlStore(dialect, shared->savepoints),
        options_(std::move(options)),
        stop_(std::move(stop)),
        shared_(std::move(shared)) {}
  ~Database() override { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Before anything else. The file has to exist. Errors: fatal, Cause::sink; and unavailable.
  Result<void> open();
  Result<Statement> prepare(const std::string& sql);

  Result<void> begin(store::Access access) override;
  Result<void> commit() override;
  void roll_back() noexcept override;
  Result<void> set_up() override;
  Result<std::vector<std::string>> columns_of(const store::Table& table) override;
  Result<void> each(const store::Sql& sql, const See& see) override;
  std::int64_t changes() const override { return sqlite3_total_changes64(handle_); }
  Result<std::unique_ptr<store::Target>> target() override;

  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  /// The last statement has put its own row.
  bool changed_one() const { return sqlite3_changes64(handle_) > 0; }
  int code() const { return sqlite3_extended_errcode(handle_); }
  std::string message() const { return sqlite3_errmsg(handle_); }
  /// What the last call failed with.
  Error error() const;

 private:
  int wait(int times);
  Result<void> can_keep_rows() const;

  Options options_;
  store::Interrupt stop_;
  std::shared_ptr<Shared> shared_;
  std::unique_lock<std::mutex> queue_;  ///< while there is a transaction for writing
  sqlite3* handle_ = nullptr;
  std::chrono::steady_clock::time_point waiting_since_;
};

/// SQLITE_STATIC: what `value` borrows from stays until the statement has been run.
void bind_value(sqlite3_stmt* statement, int at, const record::Plain& value,
                sqlite3_destructor_type keep = SQLITE_TRANSIENT);
/// A cell as text or bytes; absent: NULL.
std::optional<std::string> cell(sqlite3_stmt* statement, int column);

}  // namespace semel::sqlite
