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
/// ends whatever it does soon after `stop` is set. Connections that share `writer` queue there for
/// the lock of writers, and not at the file.
class Database final : public store::SqlStore {
 public:
  using Writer = std::shared_ptr<std::mutex>;

  Database(Options options, store::Interrupt stop, Writer writer)
      : SqlStore(dialect),
        options_(std::move(options)),
        stop_(std::move(stop)),
        writer_(std::move(writer)) {}
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
  Result<std::unique_ptr<store::Target>> target() override;

  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  int code() const { return sqlite3_extended_errcode(handle_); }
  std::string message() const { return sqlite3_errmsg(handle_); }
  /// What the last call failed with.
  Error error() const;

 private:
  int wait(int times);
  Result<void> can_keep_rows() const;

  Options options_;
  store::Interrupt stop_;
  Writer writer_;
  std::unique_lock<std::mutex> queue_;  ///< while there is a transaction for writing
  sqlite3* handle_ = nullptr;
  std::chrono::steady_clock::time_point waiting_since_;
};

void bind_value(sqlite3_stmt* statement, int at, const record::Plain& value);
/// A cell as text or bytes; absent: NULL.
std::optional<std::string> cell(sqlite3_stmt* statement, int column);

}  // namespace semel::sqlite
