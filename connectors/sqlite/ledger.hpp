// What a database file remembers of the pipelines that write into it.
#pragma once

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "sqlite/database.hpp"

namespace semel::sqlite {

inline constexpr int ledger_version = 1;

/// What makes its tables.
std::string ledger_ddl();
/// Where it is missing; in a transaction.
Result<void> make_ledger(Database& database);
/// Fatal where the ledger is of a newer version. False: there is none.
Result<bool> find_ledger(Database& database);

Result<LedgerEntry> read_entry(Database& database, const Owner& owner,
                               const TopicPartition* tp = nullptr);
Result<std::vector<Progress>> read_progress(Database& database, const Owner& owner);

struct Jump {
  Progress to;
  Offset from = 0;
  MoveKind kind = MoveKind::commit;
  std::int64_t epoch = 0;
  Committed counts;
  std::string note;  ///< of what was lost
};
/// A row of the history.
Result<void> write_history(Database& database, const Owner& owner, const Jump& jump);

/// The rows of one output, where its names are the first two arguments.
inline constexpr std::string_view mine = "pipeline = ?1 AND output = ?2";
/// The time, as it is written: ISO 8601, UTC.
inline constexpr std::string_view now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// Fails with Cause::sink where there is none.
Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const Owner& owner);

}  // namespace semel::sqlite
