// Whether threads still come round: what a process that hangs is known by.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace semel::metrics {

/// One thread's. The thread beats, any other may look.
class Beat {
 public:
  using Clock = std::chrono::steady_clock;

  /// It works, and comes round again within `patience`.
  void works(Clock::duration patience) { promise(Clock::now() + patience); }
  /// It waits until then for something to do, and comes round within `patience` of it.
  void waits(Clock::time_point until, Clock::duration patience) {
    promise(until == Clock::time_point::max() ? until : until + patience);
  }
  /// It waits for something to do, however long, or has ended.
  void rests() { promise(Clock::time_point::max()); }

  /// By how much it has missed the time; zero or less: it has not.
  Clock::duration late(Clock::time_point now) const {
    return now - Clock::time_point(Clock::duration(due_.load(std::memory_order_relaxed)));
  }

 private:
  void promise(Clock::time_point due) {
    due_.store(due.time_since_epoch().count(), std::memory_order_relaxed);
  }
  std::atomic<Clock::rep> due_{Clock::time_point::max().time_since_epoch().count()};
};

/// All threads of an output. Thread safe.
class Beats {
 public:
  /// "executor 2"; lives as long as this object.
  Beat& add(std::string thread);
  /// "executor 2 has not moved for 75 s longer than it should": of each that is late.
  std::vector<std::string> late(Beat::Clock::time_point now) const;

 private:
  struct Thread {
    std::string name;
    Beat beat;
    explicit Thread(std::string its_name) : name(std::move(its_name)) {}
  };
  mutable std::mutex mutex_;
  std::deque<Thread> threads_;
};

}  // namespace semel::metrics
