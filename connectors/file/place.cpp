#include "file/place.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "file/names.hpp"

namespace semel::file {

namespace {

constexpr mode_t rights_of_probes = 0600;

/// The type of the file system with this number in the table of mounts.
std::string file_system_type(std::uint64_t mount) {
  std::ifstream mounts("/proc/self/mountinfo");
  const auto number = std::to_string(mount);
  for (std::string line; std::getline(mounts, line);) {
    if (!line.starts_with(number + " ")) continue;
    const auto behind = line.find(" - ");
    if (behind == std::string::npos) continue;
    std::istringstream rest(line.substr(behind + 3));
    std::string type;
    rest >> type;
    return type;
  }
  return {};
}

/// Whether the kernel mounts this type from a device only.
bool needs_device(const std::string& type) {
  std::ifstream types("/proc/filesystems");
  for (std::string line; std::getline(types, line);) {
    if (line == "\t" + type) return true;
  }
  return false;
}

}  // namespace

std::string unfit_file_system(int fd) {
  // Without a device, and yet of this machine only.
  constexpr std::array<std::string_view, 4> local{"tmpfs", "ramfs", "overlay", "zfs"};
  struct statx seen {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &seen) != 0 ||
      (seen.stx_mask & STATX_MNT_ID) == 0) {
    return "a file system that the kernel does not name";
  }
  const auto type = file_system_type(seen.stx_mnt_id);
  // In a changed root its mount is not shown where it is above the root. What is on a device of its
  // own has that device's number; all others have the major number 0.
  if (type.empty() && seen.stx_dev_major != 0) return {};
  if (type.empty()) return "a file system that is not in /proc/self/mountinfo";
  if (needs_device(type) || std::ranges::find(local, type) != local.end()) return {};
  return fmt::format("a file system ({}) that other machines may write, too", type);
}

Result<std::unique_ptr<Place>> Place::open(const std::string& directory,
                                           const std::string& output) {
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("directory " + directory + " cannot be opened", errno);
  return std::unique_ptr<Place>(new Place(directory, output, std::move(fd)));
}

std::string Place::journals_shown() const {
  return fmt::format("{}/{}/{}", path_, ledgers_directory, output_);
}

bool Place::has_ledgers() const {
  const std::string all(ledgers_directory);
  const auto ledgers = directory_in(directory(), all, shown(all), false);
  std::vector<std::string> names;
  return ledgers && names_in(ledgers->get(), names) && !names.empty();
}

int Place::journals() {
  const std::lock_guard lock(mutex_);
  if (journals_) return journals_.get();
  const std::string all(ledgers_directory);
  auto ledgers = directory_in(directory(), all, shown(all), false);
  if (!ledgers) return -1;
  auto journals = directory_in(ledgers->get(), output_, journals_shown(), false);
  if (!journals) return -1;
  journals_ = *std::move(journals);
  return journals_.get();
}

Result<void> Place::set_up() {
  if (auto fit = can_be_written(); !fit) return fit;
  const std::string all(ledgers_directory);
  auto ledgers = directory_in(directory(), all, shown(all), true);
  if (!ledgers) return tl::unexpected(ledgers.error());
  auto journals = directory_in(ledgers->get(), output_, journals_shown(), true);
  if (!journals) return tl::unexpected(journals.error());
  const std::string letters(dead_letters_directory);
  auto dead = directory_in(directory(), letters, shown(letters), true);
  if (!dead) return tl::unexpected(dead.error());
  struct stat here {};
  struct stat there {};
  struct stat aside {};
  if (fstat(directory(), &here) != 0 || fstat(journals->get(), &there) != 0 ||
      fstat(dead->get(), &aside) != 0) {
    return system_error(shown(all) + " cannot be looked at", errno);
  }
  if (here.st_dev != there.st_dev || here.st_dev != aside.st_dev) {
    return system_error(shown(all) + " is on another file system", EXDEV);
  }
  for (const int fd : {journals->get(), ledgers->get(), directory()}) {
    if (fsync(fd) != 0) return system_error(shown(all) + " cannot be made durable", errno);
  }
  const std::lock_guard lock(mutex_);
  journals_ = *std::move(journals);
  return {};
}

/// A directory that was moved, unmounted or replaced is another one by now for everybody else.
Result<void> Place::still_there() const {
  struct stat opened {};
  struct stat named {};
  const bool same = fstat(directory(), &opened) == 0 && stat(path_.c_str(), &named) == 0 &&
                    opened.st_dev == named.st_dev && opened.st_ino == named.st_ino &&
                    opened.st_nlink > 0;
  if (same) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("directory {} was moved, deleted or replaced while it was written; start "
                          "semel again",
                          path_));
}

/// That a name is taken once, and a file comes to its place only where there is none.
Result<void> Place::rehearse() const {
  if (const auto unfit = unfit_file_system(directory()); !unfit.empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("directory {} is on {}: files are written exactly once on a disk of "
                            "this machine only. Choose another directory, and copy from there",
                            path_, unfit));
  }
  for (const auto& name : {std::string(ledgers_directory), std::string(dead_letters_directory),
                           fmt::format("{}/{}", ledgers_directory, output_)}) {
    if (faccessat(directory(), name.c_str(), W_OK | X_OK, AT_EACCESS) != 0 && errno != ENOENT) {
      return system_error(shown(name) + " cannot be written", errno);
    }
  }
  // Not by the process's number: in containers all are the first.
  std::random_device random;
  const auto from = fmt::format(".semel-probe-{:08x}{:08x}", random(), random());
  const auto to = from + "-there";
  constexpr int make = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
  const auto gone = [&] {
    unlinkat(directory(), from.c_str(), 0);
    unlinkat(directory(), to.c_str(), 0);
  };
  const Fd probe(openat(directory(), from.c_str(), make, rights_of_probes));
  if (!probe) return system_error("no file can be made in " + path_, errno);
  const Fd other(openat(directory(), to.c_str(), make, rights_of_probes));
  const bool once = openat(directory(), to.c_str(), make, rights_of_probes) < 0 && errno == EEXIST;
  const auto rename_once = [&] {
    return renameat2(directory(), from.c_str(), directory(), to.c_str(), RENAME_NOREPLACE) == 0;
  };
  const bool keeps = other && !rename_once() && errno == EEXIST;
  unlinkat(directory(), to.c_str(), 0);
  const bool renames = rename_once() && fsync(directory()) == 0;
  gone();
  if (once && keeps && renames) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the file system of {} cannot give a file its name only where there is "
                          "none (renameat2): choose a directory on another one",
                          path_));
}

Result<void> Place::can_be_written() {
  if (auto there = still_there(); !there) return there;
  const std::lock_guard lock(mutex_);
  if (rehearsed_) return {};
  if (auto fit = rehearse(); !fit) return fit;
  rehearsed_ = true;
  return {};
}

}  // namespace semel::file
