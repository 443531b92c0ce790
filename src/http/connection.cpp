#include "http/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace semel::http {

namespace {

constexpr auto farewell = std::chrono::milliseconds(200);
constexpr int farewell_reads = 16;

}  // namespace

bool Connection::ready(short events, Clock::time_point until) const {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waited{.fd = socket_, .events = events, .revents = 0};
    const int count = ::poll(&waited, 1, static_cast<int>(left));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

ssize_t Connection::read(char* into, std::size_t size) {
  if (begin_ == end_) {
    if (left_ == 0 || !ready(POLLIN, deadline_)) return -1;
    const auto got = ::recv(socket_, buffer_.data(), std::min(buffer_.size(), left_), MSG_DONTWAIT);
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    left_ -= end_;
  }
  const auto count = std::min(size, end_ - begin_);
  std::memcpy(into, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* from, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const auto put = ::send(socket_, from + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put >= 0) {
      done += static_cast<std::size_t>(put);
    } else if (errno != EAGAIN && errno != EINTR) {
      return -1;
    } else if (!ready(POLLOUT, deadline_)) {
      return -1;
    }
  }
  return static_cast<ssize_t>(size);
}

void Connection::finish() {
  ::shutdown(socket_, SHUT_WR);
  const auto until = std::min(deadline_, Clock::now() + farewell);
  for (int i = 0; i < farewell_reads && ready(POLLIN, until); ++i) {
    if (::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace semel::http
