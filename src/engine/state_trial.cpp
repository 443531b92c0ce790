#include "engine/state_trial.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "engine/plan_log.hpp"

namespace semel::engine {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t free_bytes_min = 16 << 20;

/// The directories that create_directories() would have to make, the innermost first; removed again
/// at the end, unless somebody put something into them.
class Missing {
 public:
  explicit Missing(const fs::path& directory) {
    std::error_code error;
    auto at = fs::absolute(directory, error).lexically_normal();
    for (; !at.empty() && !fs::exists(at, error) && at != at.parent_path(); at = at.parent_path()) {
      missing_.push_back(at);
    }
  }
  ~Missing() {
    for (const auto& path : missing_) rmdir(path.c_str());
  }
  Missing(const Missing&) = delete;
  Missing& operator=(const Missing&) = delete;

 private:
  std::vector<fs::path> missing_;
};

Result<void> write_a_file(const std::string& directory) {
  auto name = directory + "/.semel-check-XXXXXX";
  const int file = mkstemp(name.data());
  if (file < 0) return unusable_state(directory, "written", std::generic_category().message(errno));
  const bool written = ::write(file, "semel", 5) == 5 && fsync(file) == 0;
  const int number = errno;
  close(file);
  unlink(name.c_str());
  if (!written)
    return unusable_state(directory, "written", std::generic_category().message(number));
  struct statvfs room {};
  if (statvfs(directory.c_str(), &room) == 0 && room.f_bavail * room.f_frsize < free_bytes_min) {
    return unusable_state(directory, "written", "its file system is full");
  }
  return {};
}

}  // namespace

Result<void> try_state_directory(const std::string& directory) {
  const Missing missing{directory};
  if (auto made = make_state_directory(directory); !made) return made;
  if (auto written = write_a_file(directory); !written) return written;
  return PlanLog::look(directory);
}

}  // namespace semel::engine
