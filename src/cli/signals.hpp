// SIGTERM and SIGINT: the first one asks to stop, the second one ends the process at once. SIGHUP
// is the same where it means that the terminal is gone; a service is told by it to read its
// configuration again, which changes nothing here.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "cli/exit_code.hpp"

namespace semel::cli {

/// Blocks these signals in the thread that makes it, and so in all threads made afterwards: make it
/// before any of them.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Calls `stop` in a thread of its own when a signal comes (or came before). Once.
  void start(std::function<void()> stop);

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

/// Whatever the process waits for, it ends by then, with this code: as safe as a crash, and a crash
/// is safe. Returns at once.
void end_within(std::chrono::milliseconds patience, ExitCode code);

}  // namespace semel::cli
