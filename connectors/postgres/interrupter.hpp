// What makes every blocking call of a sink return: one flag, one descriptor that all of them poll.
#pragma once

#include <libpq-fe.h>
#include <atomic>
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
  /// that their locks go as well.
  void interrupt() noexcept;
  bool interrupted() const noexcept { return interrupted_; }

  /// Readable as soon as interrupted.
  int fd() const noexcept { return fd_; }

  void add(PGcancel* connection);
  void remove(PGcancel* connection) noexcept;

 private:
  int fd_ = -1;
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  std::set<PGcancel*> connections_;
};

}  // namespace semel::postgres
