#include "metrics/process.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace semel::metrics {

namespace {

struct Stat {
  std::uint64_t threads = 0;
  std::uint64_t started_ticks = 0;  ///< since the machine was started
  std::uint64_t virtual_bytes = 0;
  std::int64_t resident_pages = 0;
};

/// /proc/self/stat: the program's name, in brackets, may hold anything; what follows is numbers.
std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto end = line.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(end + 1));
  std::string skipped;
  const auto skip = [&](int fields) {
    while (fields-- > 0) rest >> skipped;
  };
  Stat stat;
  skip(17);  // 3 to 19
  rest >> stat.threads;
  skip(1);
  rest >> stat.started_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return rest ? std::optional(stat) : std::nullopt;
}

/// When the machine was started, in seconds since the epoch.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
    std::getline(file, word);
  }
  return std::nullopt;
}

std::optional<double> open_files() {
  std::error_code error;
  double count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++count;
  }
  if (error) return std::nullopt;
  return count - 1;  // the one that reads the directory
}

}  // namespace

void put_process(Page& page, const std::string& version, const std::string& librdkafka) {
  page.put("semel_build_info", {{"version", version}, {"librdkafka", librdkafka}}, 1);
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    page.put("process_cpu_seconds_total", {}, seconds(used.ru_utime) + seconds(used.ru_stime));
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    page.put("process_max_fds", {}, static_cast<double>(files.rlim_cur));
  }
  if (const auto open = open_files()) page.put("process_open_fds", {}, *open);
  const auto stat = read_stat();
  if (!stat) return;
  page.put(
      "process_resident_memory_bytes", {},
      static_cast<double>(stat->resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  page.put("process_virtual_memory_bytes", {}, static_cast<double>(stat->virtual_bytes));
  page.put("process_threads", {}, static_cast<double>(stat->threads));
  if (const auto boot = boot_time()) {
    page.put("process_start_time_seconds", {},
             *boot + static_cast<double>(stat->started_ticks) /
                         static_cast<double>(::sysconf(_SC_CLK_TCK)));
  }
}

}  // namespace semel::metrics
