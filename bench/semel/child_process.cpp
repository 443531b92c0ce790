#include "bench/semel/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "bench/semel/clock.hpp"

namespace semel::bench {

namespace {

constexpr int cannot_start = 127;

/// Between fork and exec: other threads' locks may be held for ever, so only system calls.
[[noreturn]] void become(const Command& command, char* const* argv, pid_t parent) {
  const auto give_up = [](const char* what) {
    const char* reason = ::strerrordesc_np(errno);
    for (const char* text : {what, ": ", reason, "\n"}) {
      if (::write(STDERR_FILENO, text, std::char_traits<char>::length(text)) < 0) break;
    }
    ::_exit(cannot_start);
  };
  const int log = ::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int null = ::open("/dev/null", O_RDONLY);
  if (log < 0 || null < 0) give_up("log");
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP}) {
    ::signal(ignored, SIG_DFL);
  }
  if (command.as) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(command.as->gid) != 0 ||
        ::setuid(command.as->uid) != 0) {
      give_up("changing the user");
    }
  }
  if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) give_up("directory");
  // After the change of user, which would undo it; and the parent may be gone already.
  ::prctl(PR_SET_PDEATHSIG, command.end_signal);
  if (::getppid() != parent) ::_exit(cannot_start);
  ::execv(argv[0], argv);
  give_up(argv[0]);
  ::_exit(cannot_start);
}

}  // namespace

std::string to_string(const Ended& ended) {
  return ended.signal != 0 ? fmt::format("was ended by signal {}", ended.signal)
                           : fmt::format("ended with code {}", ended.code);
}

Result<ChildProcess> ChildProcess::start(const Command& command) {
  std::vector<char*> argv;
  for (const auto& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  ChildProcess child;
  child.end_signal_ = command.end_signal;
  child.started_ns_ = monotonic_ns();
  child.pid_ = ::fork();
  if (child.pid_ == 0) become(command, argv.data(), parent);
  if (child.pid_ < 0) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("cannot start {}: {}", command.argv.front(),
                            std::generic_category().message(errno)));
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      end_signal_(other.end_signal_),
      started_ns_(other.started_ns_),
      ended_(other.ended_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    end_signal_ = other.end_signal_;
    started_ns_ = other.started_ns_;
    ended_ = other.ended_;
  }
  return *this;
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !ended_) ::kill(pid_, number);
}

std::optional<std::int64_t> ChildProcess::peak_memory_kib() const {
  std::ifstream file(fmt::format("/proc/{}/status", pid_));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6);
  }
  return std::nullopt;
}

std::optional<Ended> ChildProcess::poll() {
  if (ended_ || pid_ <= 0) return ended_;
  int status = 0;
  rusage used{};
  if (::wait4(pid_, &status, WNOHANG, &used) != pid_) return std::nullopt;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  ended_ = WIFSIGNALED(status) ? Ended{-1, WTERMSIG(status)} : Ended{WEXITSTATUS(status), 0};
  ended_->cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return ended_;
}

std::optional<Ended> ChildProcess::wait(std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!poll()) {
    if (pid_ <= 0 || std::chrono::steady_clock::now() >= until) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ended_;
}

void ChildProcess::end() noexcept {
  if (pid_ <= 0 || poll()) return;
  signal(SIGCONT);
  signal(end_signal_);
  if (wait(std::chrono::seconds(10))) return;
  signal(SIGKILL);
  wait(std::chrono::seconds(60));
}

std::string tail_of(const std::string& log) {
  std::ifstream file(log);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > 5) lines.pop_front();
  }
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text;
}

}  // namespace semel::bench
