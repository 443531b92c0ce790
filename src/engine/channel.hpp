// A queue between threads.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace semel::engine {

/// Any number of writers and readers. Unbounded: the driver bounds what is under way.
template <class T>
class Channel {
 public:
  void push(T value) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      queue_.push_back(std::move(value));
    }
    changed_.notify_one();
  }

  /// Waits for a value; none once the channel is closed (what was queued is dropped) or the
  /// deadline has passed.
  std::optional<T> pop_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closed_ || !queue_.empty(); };
    if (deadline == std::chrono::steady_clock::time_point::max()) {
      changed_.wait(lock, ready);
    } else if (!changed_.wait_until(lock, deadline, ready)) {
      return std::nullopt;
    }
    if (closed_) return std::nullopt;
    auto value = std::move(queue_.front());
    queue_.pop_front();
    return value;
  }

  /// Everything that is queued right now, also after the channel was closed: for what must not be
  /// dropped.
  std::deque<T> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(queue_, {});
  }

  /// Shows the first `count` values, or as many as there are, without taking them out. `look` runs
  /// under the lock: it must not wait for anything.
  template <class Look>
  void look_at_first(std::size_t count, Look look) const {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < std::min(count, queue_.size()); ++i) look(queue_[i]);
  }

  std::optional<T> pop() { return pop_until(std::chrono::steady_clock::time_point::max()); }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  /// Waits for `delay` or until the channel is closed; false when closed. For back-off in a thread
  /// that may be stopped.
  bool sleep_for(std::chrono::milliseconds delay) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, delay, [&] { return closed_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> queue_;
  bool closed_ = false;
};

}  // namespace semel::engine
