#include "consumer/wake.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include <semel/failed.hpp>

namespace semel::consumer {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Wake::Wake()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  bool made = epoll_ >= 0;
  for (const int fd : {event_, timer_}) {
    epoll_event wanted{.events = EPOLLIN, .data = {.fd = fd}};
    made = made && fd >= 0 && epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &wanted) == 0;
  }
  if (made) return;
  const std::string why = std::strerror(errno);
  close_all();
  throw Failed({ErrorKind::fatal, Cause::configuration,
                "a consumer cannot be made: no file descriptor is left (" + why +
                    "). Raise the limit of open files, or close what is not used"});
}

Wake::~Wake() {
  close_all();
}

void Wake::close_all() noexcept {
  for (const int fd : {epoll_, event_, timer_}) {
    if (fd >= 0) close(fd);
  }
}

void Wake::wake() noexcept {
  const int before = errno;  // of whatever a signal interrupted
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event_, &one, sizeof one);
  errno = before;
}

void Wake::heard() noexcept {
  std::uint64_t count = 0;
  while (read(event_, &count, sizeof count) > 0) {
  }
}

void Wake::due(Clock::time_point moment) noexcept {
  using std::chrono::nanoseconds;
  // std::chrono::steady_clock is CLOCK_MONOTONIC; zero would disarm it.
  const auto ns = std::max<std::int64_t>(nanoseconds(moment.time_since_epoch()).count(), 1);
  constexpr std::int64_t second = 1'000'000'000;
  const itimerspec when{.it_interval = {},
                        .it_value = {.tv_sec = ns / second, .tv_nsec = ns % second}};
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void Wake::wait(Clock::time_point until) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd readable{.fd = epoll_, .events = POLLIN, .revents = 0};
  poll(&readable, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
}

}  // namespace semel::consumer
