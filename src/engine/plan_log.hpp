// Batches that were planned and are not done yet, durable before the first of their records is
// read (P4). Losing it loses no data for a transactional sink (P8): the ledger wins.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "core/protocol.hpp"

namespace semel::engine {

/// Makes it, where it is not there. Fatal with Cause::state.
Result<void> make_state_directory(const std::string& directory);
/// `verb`: what cannot be done with it, "made" or "written".
tl::unexpected<Error> unusable_state(const std::string& directory, std::string_view verb,
                                     const std::string& why);

/// A RocksDB database with one column family, "plans": batch time → plan (plan_codec.hpp). Used by
/// one thread at a time. Errors are fatal with Cause::state and say what to do.
class PlanLog {
 public:
  /// Opens or makes the log in `directory`/plans. Where another process holds it (a stopped one
  /// keeps the lock), a directory of our own beside it is used, `plans-2` and so on: the take-over
  /// must not wait for a process that it is going to fence. `note` says so.
  static Result<std::unique_ptr<PlanLog>> open(const std::string& directory, std::string& note);
  /// Whether open() and load() would read what is there. Changes nothing, and needs no lock.
  static Result<void> look(const std::string& directory);
  ~PlanLog();
  PlanLog(const PlanLog&) = delete;
  PlanLog& operator=(const PlanLog&) = delete;

  /// All batches, in time order. A hole or garbage is an error, never skipped.
  Result<std::vector<core::Batch>> load() const;

  /// On disk when it returns.
  Result<void> put(const core::Batch& batch);

  /// Not synced: a batch that comes back after a crash is dropped by comparing it with the ledger.
  Result<void> erase(BatchTime time);

 private:
  struct Impl;
  explicit PlanLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::engine
