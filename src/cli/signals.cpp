#include "cli/signals.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <csignal>

#include "cli/console.hpp"
#include "cli/exit_code.hpp"

namespace semel::cli {

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  // Under nohup it stays ignored.
  struct sigaction hang_up {};
  if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) {
    sigaddset(&set, SIGHUP);
  }
  return set;
}

bool has_terminal() {
  // Also one that is gone: it cannot be opened any more, but the session had it at the start.
  static const bool had = [] {
    const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0) close(terminal);
    return terminal >= 0;
  }();
  return had;
}

void wait_for_signal() {
  const auto set = stop_signals();
  for (int number = 0; sigwait(&set, &number) == 0;) {
    if (number != SIGHUP || has_terminal()) return;
    Console::shared().line(
        "semel: SIGHUP changes nothing: the configuration is read at the start. Restart to apply "
        "it");
  }
}

}  // namespace

SignalWatch::SignalWatch() {
  const auto set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  has_terminal();
}

SignalWatch::~SignalWatch() {
  if (!thread_.joinable()) return;
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);
  thread_.join();
}

void SignalWatch::start(std::function<void()> stop) {
  thread_ = std::thread([this, stop = std::move(stop)] {
    wait_for_signal();
    if (done_) return;
    Console::shared().line(
        "semel: stopping: the running ranges are finished and committed; a second signal ends at "
        "once");
    stop();
    wait_for_signal();
    if (done_) return;
    // Nothing is tidied up: what is not committed is read again, as after a crash.
    Console::shared().line("\nsemel: ended at once, as asked. Nothing is lost or doubled by that");
    _exit(static_cast<int>(ExitCode::second_signal));
  });
}

void end_within(std::chrono::milliseconds patience, ExitCode code) {
  std::thread([patience, code] {
    std::this_thread::sleep_for(patience);
    Console::shared().line(
        "semel: ended without taking leave of a server that does not answer. Nothing is lost or "
        "doubled by that");
    _exit(static_cast<int>(code));
  }).detach();
}

}  // namespace semel::cli
