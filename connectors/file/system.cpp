#include "file/system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace semel::file {

namespace {

struct Meaning {
  ErrorKind kind = ErrorKind::retriable;
  std::string_view remedy{};
};

Meaning meaning_of(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return {ErrorKind::unavailable, "; free space there"};
    case EIO:
      // What was written may be lost, though the next call says nothing of it.
      return {ErrorKind::fatal, ": the disk fails; see the kernel's log"};
    case EACCES:
    case EPERM:
      return {ErrorKind::fatal, ": semel has to be allowed to write there"};
    case EROFS:
      return {ErrorKind::fatal, ": it cannot be written"};
    case ENOENT:
    case ENOTDIR:
    case ESTALE:
      return {ErrorKind::fatal, ": is sink.file.directory right, and still there?"};
    case ELOOP:
    case EXDEV:
      return {ErrorKind::fatal,
              ": what is below the directory has to be in it, and not elsewhere by a link or a "
              "mount"};
    case EMFILE:
      return {ErrorKind::retriable,
              ": the process has as many files open as it may; allow it more (`ulimit -n`, "
              "LimitNOFILE= of a systemd unit)"};
    case ENFILE:
      return {ErrorKind::retriable,
              ": the machine has as many files open as it may; see what holds them, or allow more "
              "(`sysctl fs.file-max`)"};
    default:
      return {};
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

tl::unexpected<Error> system_error(const std::string& what, int code) {
  const auto [kind, remedy] = meaning_of(code);
  return fail(kind, Cause::sink,
              fmt::format("{}: {}{}", what, std::generic_category().message(code), remedy));
}

bool write_all(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const auto written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    at += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool read_all(int fd, std::string& into) {
  constexpr std::size_t piece = std::size_t{256} << 10;
  into.clear();
  while (true) {
    const auto had = into.size();
    into.resize(had + piece);
    const auto got = pread(fd, into.data() + had, piece, static_cast<off_t>(had));
    const int code = errno;
    into.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return true;
    if (got < 0 && code != EINTR) {
      errno = code;
      return false;
    }
  }
}

bool names_in(int directory, std::vector<std::string>& into) {
  // A description of its own: reading moves it.
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const std::unique_ptr<DIR, CloseDirectory> open(fdopendir(fd));
  if (!open) {
    close(fd);
    return false;
  }
  errno = 0;
  while (const auto* entry = readdir(open.get())) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") into.emplace_back(name);
  }
  return errno == 0;
}

Result<Fd> directory_in(int parent, const std::string& name, const std::string& shown, bool make) {
  constexpr mode_t all_rights = 0777;  // less what the umask takes
  if (make && mkdirat(parent, name.c_str(), all_rights) != 0 && errno != EEXIST) {
    return system_error(shown + " cannot be made", errno);
  }
  Fd fd(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return system_error(shown + " cannot be opened", errno);
  return fd;
}

}  // namespace semel::file
