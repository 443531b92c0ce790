#include "base/lock_holder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <sstream>

namespace semel {

std::string lock_holder(const std::string& file, std::uint64_t at) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return "another process";
  // Inodes of other file systems have the same numbers.
  const auto wanted =
      fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string id, type, advisory, mode, pid, inode, until;
    std::uint64_t from = 0;
    words >> id >> type >> advisory >> mode >> pid >> inode >> from >> until;
    if (mode != "WRITE" || inode != wanted) continue;
    const bool to_the_end = until == "EOF";
    if (!words || pid == "0" || at < from || (!to_the_end && at > std::stoull(until))) continue;
    std::string name;
    std::getline(std::ifstream("/proc/" + pid + "/comm"), name);
    return fmt::format("process {} ({})", pid, name.empty() ? "not visible here" : name);
  }
  return "another process";
}

}  // namespace semel
