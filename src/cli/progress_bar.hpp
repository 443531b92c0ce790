// How far `semel run --once` has come, on a terminal.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include <semel/snapshot.hpp>

namespace semel::cli {

/// The line for one moment: bar, records, records per second, lag, time left. At most `width`
/// columns. Pure.
std::string progress_line(const Snapshot& now, double records_per_second, int width);

/// Redraws the line a few times per second in a thread of its own, until it is destroyed; then the
/// line is gone.
class ProgressBar {
 public:
  explicit ProgressBar(std::function<Snapshot()> look);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

 private:
  void run();

  std::function<Snapshot()> look_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace semel::cli
