#include "metrics/file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace semel::metrics {

Result<void> write_file(const std::string& file, const std::string& page) {
  // Whoever collects it never sees half of it.
  const auto beside = fmt::format("{}.{}", file, ::getpid());
  errno = 0;
  std::ofstream out(beside, std::ios::trunc | std::ios::binary);
  out << page;
  out.close();
  if (out && std::rename(beside.c_str(), file.c_str()) == 0) return {};
  const auto reason = std::generic_category().message(errno);
  ::unlink(beside.c_str());
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("cannot write the metrics to {}: {}", file, reason));
}

}  // namespace semel::metrics
