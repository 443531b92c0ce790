// One connection to a database file, and what its answers mean.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <semel/error.hpp>

#include "sqlite/options.hpp"

namespace semel::sqlite {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
using StopFlag = std::shared_ptr<std::atomic<bool>>;

using Arg = std::variant<std::nullptr_t, std::int64_t, std::string_view>;
struct Cells : std::vector<std::optional<std::string>> {
  std::string text(std::size_t i) const { return (*this)[i].value_or(""); }
  std::int64_t number(std::size_t i) const { return std::stoll((*this)[i].value_or("0")); }
};
using Rows = std::vector<Cells>;

/// Not thread safe. Waits for the locks of others at most Options::busy_timeout_ms, and ends
/// whatever it does soon after `stop` is set.
class Database {
 public:
  /// The file has to exist. Errors: fatal, Cause::sink; and unavailable.
  static Result<std::unique_ptr<Database>> open(const Options& options, StopFlag stop);
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// One statement; ?1 is the first argument.
  Result<Rows> run(const std::string& sql, const std::vector<Arg>& args = {});
  /// The same row by row.
  Result<void> each(const std::string& sql, const std::vector<Arg>& args,
                    const std::function<void(const Cells&)>& see);
  /// Several statements without results.
  Result<void> script(std::string_view sql);
  Result<Statement> prepare(const std::string& sql);
  void roll_back() noexcept;
  /// Fatal where the file may only be read, or is not at its place any more.
  Result<void> can_keep_rows() const;

  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  std::int64_t changes() const { return sqlite3_changes64(handle_); }
  int code() const { return sqlite3_extended_errcode(handle_); }
  std::string message() const { return sqlite3_errmsg(handle_); }
  /// What the last call failed with.
  Error error() const;

 private:
  Database(const Options& options, StopFlag stop) : options_(options), stop_(std::move(stop)) {}
  int wait(int times);

  Options options_;
  StopFlag stop_;
  sqlite3* handle_ = nullptr;
  std::chrono::steady_clock::time_point waiting_since_;
};

/// Begins a transaction, calls `action`, and commits; or rolls back what failed.
template <class Action>
auto in_transaction(Database& database, const char* begin, Action action) -> decltype(action()) {
  if (auto begun = database.run(begin); !begun) return tl::unexpected(begun.error());
  auto result = action();
  if (result && database.in_transaction()) {
    if (auto done = database.run("COMMIT"); !done) result = tl::unexpected(done.error());
  }
  database.roll_back();
  return result;
}
inline constexpr auto writing = "BEGIN IMMEDIATE";
inline constexpr auto reading = "BEGIN";

std::string quoted(std::string_view name);
std::string cell(sqlite3_stmt* statement, int column);
void bind_bytes(sqlite3_stmt* statement, int at, std::optional<std::string_view> bytes, bool text);

}  // namespace semel::sqlite
