#include "support/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "support/janitor.hpp"

extern char** environ;

namespace semel::test {
namespace {

// Output is captured in memory files: nobody has to read along, nothing can block.
int memory_file(const char* name) {
  const int handle = ::memfd_create(name, MFD_CLOEXEC);
  if (handle < 0) throw std::runtime_error(std::string("memfd_create: ") + std::strerror(errno));
  return handle;
}

std::string content_of(int handle) {
  std::string content;
  char buffer[8192];
  for (;;) {
    const auto got = ::pread(handle, buffer, sizeof buffer, static_cast<off_t>(content.size()));
    if (got <= 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (added.count(text.substr(0, text.find('='))) == 0) result.push_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  return result;
}

ExitStatus status_of(int status) {
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace

Process::Process(ProcessOptions options) {
  if (options.argv.empty()) throw std::runtime_error("a process needs a program");
  std::vector<std::string> env = environment_with(options.env);
  const std::vector<char*> argv = pointers(options.argv);
  const std::vector<char*> envp = pointers(env);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  int input = -1;
  if (options.input.empty()) {
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  } else {
    input = memory_file("stdin");
    if (::write(input, options.input.data(), options.input.size()) < 0) {
      throw std::runtime_error("cannot write a process's input");
    }
    ::lseek(input, 0, SEEK_SET);
    posix_spawn_file_actions_adddup2(&files, input, 0);
  }
  if (options.output_file.empty()) {
    out_ = memory_file("stdout");
    err_ = memory_file("stderr");
    posix_spawn_file_actions_adddup2(&files, out_, 1);
    posix_spawn_file_actions_adddup2(&files, err_, 2);
  } else {
    posix_spawn_file_actions_addopen(&files, 1, options.output_file.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
  }
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&files, options.directory.c_str());
  }

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // The child starts with no signal blocked or ignored, whatever this test has done to its own.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.own_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));

  const int error = posix_spawnp(&pid_, argv[0], &files, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (input >= 0) ::close(input);
  if (error != 0) {
    pid_ = -1;
    close_all();
    throw std::runtime_error("cannot start " + options.argv[0] + ": " + std::strerror(error));
  }
  watch_process(pid_, options.end_signal);
}

Process::~Process() {
  if (pid_ > 0) kill();
  close_all();
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      status_(std::exchange(other.status_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (pid_ > 0) kill();
    close_all();
    pid_ = std::exchange(other.pid_, -1);
    out_ = std::exchange(other.out_, -1);
    err_ = std::exchange(other.err_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

void Process::close_all() noexcept {
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
  out_ = err_ = -1;
}

bool Process::running() {
  return !wait(std::chrono::milliseconds(0)).has_value();
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

ExitStatus Process::kill() {
  if (!status_) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status_of(status);
    forget_process(pid_);
  }
  return *status_;
}

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds at_most) {
  if (status_) return status_;
  eventually(
      [this] {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        status_ = status_of(status);
        return true;
      },
      at_most);
  if (status_) forget_process(pid_);
  return status_;
}

std::string Process::out() const {
  return out_ < 0 ? std::string() : content_of(out_);
}

std::string Process::err() const {
  return err_ < 0 ? std::string() : content_of(err_);
}

ProcessResult run(ProcessOptions options, std::chrono::milliseconds at_most) {
  Process process(std::move(options));
  std::optional<ExitStatus> status = process.wait(at_most);
  if (!status) status = process.kill();
  return {status->code, status->signal, process.out(), process.err()};
}

}  // namespace semel::test
