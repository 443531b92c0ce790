// Work of a simulated process that is stopped in the middle of calls: a thread that runs only while
// somebody waits for it, so that all is one sequence.
#pragma once

#include <exception>
#include <functional>
#include <semaphore>
#include <thread>

namespace semel::stream_simulation {

class Fiber {
 public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  bool busy() const { return busy_; }
  /// Does the job up to its first pause, or to its end. Throws what it throws.
  void run(std::function<void()> job);
  /// Up to the next one.
  void resume();
  /// The job ends where it pauses.
  void kill();

  /// In a job: back to whoever waits. Elsewhere: nothing.
  static void pause();

 private:
  struct Killed {};

  void work();
  void let_run();

  std::function<void()> job_;
  std::exception_ptr thrown_;
  bool busy_ = false;
  bool killed_ = false;
  bool over_ = false;
  std::binary_semaphore go_{0};
  std::binary_semaphore back_{0};
  std::thread thread_;
};

}  // namespace semel::stream_simulation
