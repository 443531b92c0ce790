#include "console/output.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

namespace semel::console {

Result<void> StandardOutput::write(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  while (!lines.empty()) {
    constexpr int look_ms = 50;
    pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    const int ready = poll(&out, 1, look_ms);
    if (stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    // A pipe that is ready takes so many bytes at once without waiting.
    const auto done =
        ::write(STDOUT_FILENO, lines.data(), std::min<std::size_t>(lines.size(), PIPE_BUF));
    if (done >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno == ENOSPC) {
      return fail(ErrorKind::unavailable, Cause::sink, "standard output: the disk is full");
    } else if (errno != EINTR && errno != EAGAIN) {
      return fail(ErrorKind::fatal, Cause::sink,
                  errno == EPIPE ? std::string("standard output: whoever read it has ended")
                                 : fmt::format("standard output cannot be written: {}",
                                               std::generic_category().message(errno)));
    }
  }
  return {};
}

}  // namespace semel::console
