#include "bench/semel/work_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace semel::bench {

namespace {

/// In the forked process: until the pipe ends, then until the directory is gone.
[[noreturn]] void keep_watch(int pipe, const std::string& path) {
  ::setsid();
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(ignored, SIG_IGN);
  const int null = ::open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; ++i) ::dup2(null, i);
  ::dup2(pipe, 3);
  ::close_range(4, ~0U, 0);
  char nothing = 0;
  while (::read(3, &nothing, 1) < 0 && errno == EINTR) {
  }
  // Servers that die with the bench may still be writing.
  for (int i = 0; i < 100; ++i) {
    std::error_code failed;
    std::filesystem::remove_all(path, failed);
    if (!failed && !std::filesystem::exists(path)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ::_exit(0);
}

tl::unexpected<Error> no_directory(const std::string& doing) {
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("{}: {}", doing, std::generic_category().message(errno)));
}

}  // namespace

Result<WorkDirectory> WorkDirectory::make() {
  const char* parent = std::getenv("TMPDIR");
  std::string name =
      std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") + "/semel-bench-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return no_directory("cannot make a directory " + name);
  WorkDirectory made;
  made.path_ = name;
  // A database in it may run as another user.
  ::chmod(name.c_str(), 0711);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return no_directory("cannot make a pipe");
  made.alive_ = ends[1];
  made.janitor_ = ::fork();
  if (made.janitor_ == 0) keep_watch(ends[0], name);
  ::close(ends[0]);
  if (made.janitor_ < 0) return no_directory("cannot start a process");
  return made;
}

WorkDirectory::WorkDirectory(WorkDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      janitor_(std::exchange(other.janitor_, -1)),
      alive_(std::exchange(other.alive_, -1)) {}

WorkDirectory::~WorkDirectory() {
  if (alive_ >= 0) ::close(alive_);
  if (janitor_ > 0) {
    while (::waitpid(janitor_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace semel::bench
