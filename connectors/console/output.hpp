// Standard output, for several sessions.
#pragma once

#include <atomic>
#include <mutex>
#include <string_view>

#include <semel/error.hpp>

namespace semel::console {

/// Thread safe.
class StandardOutput {
 public:
  /// All of it, and nobody's line within: waits for whoever reads, without limit, but ends soon
  /// after interrupt(). Errors: fatal, Cause::sink, where nobody reads any more.
  Result<void> write(std::string_view lines);
  void interrupt() noexcept { stop_ = true; }
  bool interrupted() const { return stop_; }

 private:
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
};

}  // namespace semel::console
