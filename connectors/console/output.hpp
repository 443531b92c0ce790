// Standard output, for several sessions.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string_view>

#include <semel/error.hpp>

#include "base/log.hpp"

namespace semel::console {

/// Thread safe.
class StandardOutput {
 public:
  explicit StandardOutput(Log log);

  /// Fatal, Cause::sink, where it is closed.
  static Result<void> is_open();

  /// All of it, and nobody's line within: waits for whoever reads, and for room on a disk, without
  /// limit, but ends soon after interrupt(). Errors: fatal, Cause::sink, where nobody reads any
  /// more.
  Result<void> write(std::string_view lines);
  void interrupt() noexcept { stop_ = true; }
  bool interrupted() const { return stop_; }

 private:
  void is_full(bool full, int reason);

  Log log_;
  std::size_t piece_;  ///< bytes that are written at once
  std::mutex mutex_;
  bool full_ = false;  ///< guarded by mutex_
  std::atomic<bool> stop_{false};
};

}  // namespace semel::console
