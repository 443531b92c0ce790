#include "console/output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

namespace semel::console {

namespace {

constexpr int look_ms = 50;

/// What is written at once. A pipe that is ready takes PIPE_BUF bytes without waiting, so that an
/// end is seen; a file waits for nobody.
std::size_t piece_of_output() {
  struct stat of_output {};
  const bool file = fstat(STDOUT_FILENO, &of_output) == 0 && S_ISREG(of_output.st_mode);
  return file ? std::size_t{1} << 20 : PIPE_BUF;
}

}  // namespace

StandardOutput::StandardOutput(Log log) : log_(std::move(log)), piece_(piece_of_output()) {}

Result<void> StandardOutput::is_open() {
  const int flags = fcntl(STDOUT_FILENO, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              "standard output is closed, and records would go nowhere: give it a file or a "
              "program (`> FILE`, `| PROGRAM`)");
}

/// Said once, until all that was waiting has gone.
void StandardOutput::is_full(bool full, int reason) {
  if (std::exchange(full_, full) == full) return;
  if (full) {
    log_.warn("standard output: {}: waiting until there is room",
              std::generic_category().message(reason));
  } else {
    log_.info("standard output: there is room again");
  }
}

Result<void> StandardOutput::write(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  while (!lines.empty()) {
    pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    const int ready = poll(&out, 1, look_ms);
    if (stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const auto done = ::write(STDOUT_FILENO, lines.data(), std::min(lines.size(), piece_));
    if (done >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno == ENOSPC || errno == EDQUOT) {
      // Not an error of the range: what is there of a line already could not be taken back.
      is_full(true, errno);
      poll(nullptr, 0, look_ms);
    } else if (errno != EINTR && errno != EAGAIN) {
      return fail(ErrorKind::fatal, Cause::sink,
                  errno == EPIPE ? std::string("standard output: whoever read it has ended")
                                 : fmt::format("standard output cannot be written: {}",
                                               std::generic_category().message(errno)));
    }
  }
  is_full(false, 0);
  return {};
}

}  // namespace semel::console
