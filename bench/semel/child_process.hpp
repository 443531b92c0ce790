// A program run as a child: it dies with this process, whatever ends that.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>

namespace semel::bench {

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Command {
  std::vector<std::string> argv;  ///< argv[0] is a path
  std::string log;                ///< both outputs are appended to it
  std::string directory;          ///< empty: this process's
  std::optional<Credentials> as;  ///< empty: this process's
  int end_signal = SIGKILL;       ///< what ends it in order, and when this process dies
};

struct Ended {
  int code = -1;           ///< -1 if a signal ended it
  int signal = 0;          ///< 0 if it exited
  double cpu_seconds = 0;  ///< user and system, of all its threads
};
std::string to_string(const Ended& ended);

/// Start it in the main thread: when the thread that started a process ends, so does the process.
/// Each is in a session of its own, out of the reach of Ctrl-C.
class ChildProcess {
 public:
  ChildProcess() = default;
  static Result<ChildProcess> start(const Command& command);
  /// Ends it with its signal; with SIGKILL if it is there ten seconds later.
  ~ChildProcess() { end(); }
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  /// When it was started, on the monotonic clock: just before fork().
  std::int64_t started_ns() const { return started_ns_; }
  void signal(int number) const;
  /// The most memory it has had at once so far, as the kernel counts it; nothing once it has ended.
  /// (What wait4() says at the end is at least what this process had when it forked.)
  std::optional<std::int64_t> peak_memory_kib() const;
  /// How it ended, if it has.
  std::optional<Ended> poll();
  std::optional<Ended> wait(std::chrono::milliseconds at_most);
  void end() noexcept;

 private:
  pid_t pid_ = -1;
  int end_signal_ = SIGKILL;
  std::int64_t started_ns_ = 0;
  std::optional<Ended> ended_;
};

/// The last lines of a log, for messages.
std::string tail_of(const std::string& log);

}  // namespace semel::bench
