#include "metrics/file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace semel::metrics {

Result<void> write_file(const std::string& file, const std::string& page) {
  std::error_code none;
  // A link stays one, and what is no file (a pipe, a device) is written to and not replaced.
  const auto linked = std::filesystem::weakly_canonical(file, none);
  const auto target = none ? file : linked.string();
  const auto there = std::filesystem::status(target, none);
  const bool replaces = !std::filesystem::exists(there) || std::filesystem::is_regular_file(there);
  // Whoever collects it never sees half of it.
  const auto written = replaces ? fmt::format("{}.{}", target, ::getpid()) : target;
  errno = 0;
  std::ofstream out(written, std::ios::trunc | std::ios::binary);
  out << page;
  out.close();
  if (out && (!replaces || std::rename(written.c_str(), target.c_str()) == 0)) return {};
  const auto reason = std::generic_category().message(errno);
  if (replaces) ::unlink(written.c_str());
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("cannot write the metrics to {}: {}", file, reason));
}

}  // namespace semel::metrics
