// One file descriptor that is readable when the consumer has something to do.
#pragma once

#include <chrono>

namespace semel::consumer {

/// wake() from any thread and from a signal handler; the rest by one thread. Throws Failed where
/// the process may open no more files.
class Wake {
 public:
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  /// Readable after wake(), until heard(), and from the moment of due() on.
  int fd() const { return epoll_; }
  /// Eight bytes that are written here are a wake().
  int event() const { return event_; }

  void wake() noexcept;
  void heard() noexcept;
  void due(std::chrono::steady_clock::time_point moment) noexcept;
  /// Until it is readable, or `until`.
  void wait(std::chrono::steady_clock::time_point until) noexcept;

 private:
  void close_all() noexcept;

  int epoll_ = -1;
  int event_ = -1;
  int timer_ = -1;
};

}  // namespace semel::consumer
