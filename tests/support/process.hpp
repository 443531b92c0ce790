// A program run as a child of the test: its output captured, its end waited for, signals sent to
// it. When the test dies, the child is killed. One thread per object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace semel::test {

struct ProcessOptions {
  std::vector<std::string> argv;             ///< a name without a slash is searched in PATH
  std::map<std::string, std::string> env{};  ///< added to this process's environment
  std::string directory{};                   ///< working directory; empty: this process's
  std::string input{};                       ///< standard input
  /// Both outputs go to this file (appended) instead of being captured; empty: captured.
  std::string output_file{};
  bool own_session = false;         ///< out of the reach of Ctrl-C and of a runner's group kill
  std::string end_signal = "KILL";  ///< what the janitor sends when the test dies
};

struct ExitStatus {
  int code = -1;   ///< exit code; -1 if a signal ended it
  int signal = 0;  ///< the signal that ended it; 0 if it exited
};

class Process {
 public:
  /// Starts the program; throws std::runtime_error where it cannot be started.
  explicit Process(ProcessOptions options);
  /// Kills the program if it still runs, and waits for it.
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  /// Sends a signal; nothing happens when the program has ended.
  void signal(int number);
  /// SIGKILL, and waits for the end.
  ExitStatus kill();
  /// Waits for the end, at most that long; nothing if it still runs then.
  std::optional<ExitStatus> wait(std::chrono::milliseconds at_most);
  /// What it has written so far.
  std::string out() const;
  std::string err() const;

 private:
  void close_all() noexcept;

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::optional<ExitStatus> status_;
};

struct ProcessResult {
  int code = -1;  ///< as in ExitStatus
  int signal = 0;
  std::string out;
  std::string err;
};

/// Runs a program to its end; one that takes longer than `at_most` is killed (signal == SIGKILL).
ProcessResult run(ProcessOptions options,
                  std::chrono::milliseconds at_most = std::chrono::minutes(2));

/// Waits until `condition` holds, asking every few milliseconds; false if it never did.
template <class Condition>
bool eventually(Condition&& condition,
                std::chrono::milliseconds at_most = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace semel::test
