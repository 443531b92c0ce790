// What makes every blocking call of a sink return: one flag, one descriptor that all of them poll.
#pragma once

#include <libpq-fe.h>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>

namespace semel::postgres {

/// Thread safe. Once interrupted it stays so.
class Interrupter {
 public:
  Interrupter();
  ~Interrupter();
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  /// Wakes all that wait, then asks the server to cancel what the registered connections run, so
  /// that their locks go as well. A server that says nothing is not waited for longer than a
  /// second: what asks it is left behind.
  void interrupt() noexcept;
  bool interrupted() const noexcept { return interrupted_; }

  /// Readable as soon as interrupted.
  int fd() const noexcept { return fd_; }

  using CancelKey = std::shared_ptr<PGcancel>;
  void add(CancelKey connection);
  void remove(const CancelKey& connection) noexcept;

 private:
  int fd_ = -1;
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  std::set<CancelKey> connections_;
};

}  // namespace semel::postgres
