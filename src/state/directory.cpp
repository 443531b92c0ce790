#include "state/directory.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "base/lock_holder.hpp"

namespace semel::state {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> unusable(const std::string& path, std::string_view what,
                               const std::string& why) {
  return fail(ErrorKind::fatal, Cause::state,
              fmt::format("state: {} cannot be {}: {}", path, what, why));
}
tl::unexpected<Error> unusable(const std::string& path, std::string_view what, int error) {
  return unusable(path, what, std::generic_category().message(error));
}

/// A file or a directory, with what was renamed in it.
Result<void> sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unusable(path, "opened", errno);
  const bool synced = fsync(file) == 0;
  const int error = errno;
  close(file);
  if (!synced) return unusable(path, "synced", error);
  return {};
}

Result<void> rename_to(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return unusable(from, "renamed to " + to, errno);
  return {};
}

std::string folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

tl::unexpected<Error> in_use(const std::string& directory) {
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("state in {}: {} has it: end that one first", directory, who_has(directory)));
}

/// RocksDB's own lock: who opens the state meanwhile is refused.
class Locked {
 public:
  explicit Locked(const std::string& directory)
      : file_(::open((directory + "/LOCK").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    ours_ = file_ >= 0 && fcntl(file_, F_SETLK, &whole) == 0;
  }
  ~Locked() {
    if (file_ >= 0) close(file_);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  bool ours() const { return ours_; }

 private:
  int file_;
  bool ours_ = false;
};

}  // namespace

Result<bool> has_state(const std::string& directory) {
  std::error_code error;
  const bool there = fs::exists(directory + "/CURRENT", error);
  if (error) return unusable(directory, "looked into", error.message());
  return there;
}

std::string who_has(const std::string& directory) {
  return lock_holder(directory + "/LOCK", 0);
}

Result<void> nobody_has(const std::string& directory) {
  // Asked, and not tried: a program that starts at this moment is not kept from it.
  const int file = ::open((directory + "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const bool held = fcntl(file, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  close(file);
  return held ? in_use(directory) : Result<void>();
}

std::string beside(const std::string& directory, const std::string& word, std::int64_t now_ms) {
  constexpr std::int64_t ms = 1'000;
  const auto name = fmt::format("{}.{}-{:%Y%m%dT%H%M%SZ}", directory, word,
                                fmt::gmtime(static_cast<std::time_t>(now_ms / ms)));
  auto free = name;
  std::error_code error;
  for (int again = 2; fs::exists(free, error); ++again) free = fmt::format("{}-{}", name, again);
  return free;
}

Result<void> copy_state(const std::string& from, const std::string& to) {
  const auto there = has_state(from);
  if (!there) return tl::unexpected(there.error());
  if (!*there) {
    return fail(
        ErrorKind::fatal, Cause::state,
        fmt::format("there is no checkpoint of a state in {}: it has no file CURRENT", from));
  }
  if (auto nobody = nobody_has(from); !nobody) return nobody;
  std::error_code error;
  fs::create_directory(to, error);
  if (error) return unusable(to, "made", error.message());
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file(error) || name == "LOCK") continue;
    fs::copy_file(entry.path(), to + "/" + name, error);
    if (error) return unusable(entry.path(), "copied to " + to, error.message());
    if (auto synced = sync(to + "/" + name); !synced) return synced;
  }
  if (error) return unusable(from, "read", error.message());
  // Files that are written while they are copied make no state.
  if (auto nobody = nobody_has(from); !nobody) return nobody;
  return sync(to);
}

Result<void> put_in_place(const std::string& made, const std::string& directory,
                          const std::string& aside) {
  const auto folder = folder_of(directory);
  std::error_code error;
  if (!fs::exists(directory, error)) {
    if (auto renamed = rename_to(made, directory); !renamed) return renamed;
    return sync(folder);
  }
  {
    const Locked lock(directory);
    if (!lock.ours()) return in_use(directory);
    if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) == 0) {
      if (auto renamed = rename_to(made, aside); !renamed) return renamed;
      return sync(folder);
    }
    if (errno != EINVAL && errno != ENOSYS) return unusable(made, "put in place", errno);
    // A file system that cannot exchange: between the two there is none, and a start says so.
    if (auto renamed = rename_to(directory, aside); !renamed) return renamed;
    if (auto renamed = rename_to(made, directory); !renamed) return renamed;
  }
  return sync(folder);
}

Result<void> write_whole(const std::string& path, const std::string* content) {
  const auto folder = folder_of(path);
  if (content == nullptr) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return unusable(path, "removed", errno);
    return sync(folder);
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return unusable(folder, "made", error.message());
  const auto next = path + ".next";
  const int file = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return unusable(next, "written", errno);
  const bool written =
      ::write(file, content->data(), content->size()) == static_cast<ssize_t>(content->size()) &&
      fsync(file) == 0;
  const int number = errno;
  close(file);
  if (!written) return unusable(next, "written", number);
  if (auto renamed = rename_to(next, path); !renamed) return renamed;
  return sync(folder);
}

}  // namespace semel::state
