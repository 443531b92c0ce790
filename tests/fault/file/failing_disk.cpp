// Preloaded: one call on a file below a directory fails, as a disk lets it fail. FAILING_DISK is
// "CALL:NTH:ERRNO:DIRECTORY"; the calls are fsync, fdatasync, pwrite and renameat2.
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

struct Wanted {
  std::string call;
  int nth = 0;
  int code = 0;
  std::string directory;

  Wanted() {
    const char* text = std::getenv("FAILING_DISK");
    if (text == nullptr) return;
    std::string rest = text;
    const auto next = [&rest] {
      const auto colon = rest.find(':');
      auto part = rest.substr(0, colon);
      rest.erase(0, colon + 1);
      return part;
    };
    call = next();
    nth = std::stoi(next());
    code = std::stoi(next());
    directory = rest;
  }
};

/// Whether this call, on what `fd` is, is the one; then errno is set.
bool fails(const char* call, int fd) {
  static const Wanted wanted;
  static std::atomic<int> seen{0};
  if (wanted.call != call) return false;
  std::array<char, 4096> path{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  if (readlink(link.c_str(), path.data(), path.size() - 1) < 0) return false;
  if (!std::string(path.data()).starts_with(wanted.directory)) return false;
  if (++seen != wanted.nth) return false;
  errno = wanted.code;
  return true;
}

}  // namespace

// In the place of the C library's: it must be seen.
#pragma GCC visibility push(default)
extern "C" {

int fsync(int fd) {
  return fails("fsync", fd) ? -1 : static_cast<int>(syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
  return fails("fdatasync", fd) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd));
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  // Half of it is written before the disk is full.
  if (fails("pwrite", fd)) {
    const int code = errno;
    (void)!syscall(SYS_pwrite64, fd, data, size / 2, at);
    errno = code;
    return -1;
  }
  return syscall(SYS_pwrite64, fd, data, size, at);
}

int renameat2(int from, const char* old_name, int to, const char* new_name,
              unsigned flags) noexcept {
  if (fails("renameat2", from)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from, old_name, to, new_name, flags));
}

}  // extern "C"
#pragma GCC visibility pop
