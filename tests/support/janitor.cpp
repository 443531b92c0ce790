#include "support/janitor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <stdexcept>

extern char** environ;

namespace semel::test {
namespace {

class Janitor {
 public:
  static Janitor& instance() {
    static Janitor janitor;
    return janitor;
  }

  void tell(const std::string& line) {
    const std::lock_guard lock(mutex_);
    // One short write to a pipe is atomic. A janitor that is gone must not take the test along:
    // SIGPIPE is held back for this call.
    sigset_t pipe_signal;
    sigset_t before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const auto written = ::write(write_end_, line.data(), line.size());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (written != static_cast<ssize_t>(line.size())) {
      throw std::runtime_error("the janitor process is gone; nobody would clean up");
    }
  }

 private:
  Janitor() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[0], 0);
    // Not the test's own output: whoever reads that would wait for the janitor.
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    // A session of its own: Ctrl-C and a runner's kill of the process group do not reach it.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    std::string program = std::string(SEMEL_SOURCE_ROOT) + "/scripts/lib/janitor";
    char* argv[] = {program.data(), nullptr};
    const int error = posix_spawn(&pid_, program.c_str(), &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    ::close(ends[0]);
    if (error != 0) throw std::runtime_error("cannot start " + program);
    write_end_ = ends[1];
  }

  ~Janitor() {
    ::close(write_end_);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }

  std::mutex mutex_;
  pid_t pid_ = -1;
  int write_end_ = -1;
};

}  // namespace

void watch_process(pid_t pid, const std::string& signal_name) {
  Janitor::instance().tell("watch " + std::to_string(pid) + " " + signal_name + "\n");
}

void forget_process(pid_t pid) {
  Janitor::instance().tell("forget " + std::to_string(pid) + "\n");
}

void remove_at_end(const std::string& path) {
  Janitor::instance().tell("remove " + path + "\n");
}

void forget_path(const std::string& path) {
  Janitor::instance().tell("keep " + path + "\n");
}

}  // namespace semel::test
