// Who looks on while a benchmark runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace semel::bench {

/// What people may look at while it runs. Any thread.
struct Meter {
  std::atomic<std::int64_t> done{0};
  std::atomic<std::int64_t> total{0};
};

struct Audience {
  std::function<void(const std::string&)> say;  ///< a line: what begins, what came out
  std::function<bool()> interrupted;            ///< people want it to end
  Meter meter;

  /// What comes next goes through so many records.
  void announce(std::int64_t records, const std::string& text) {
    meter.done = 0;
    meter.total = records;
    say(text);
  }
};

}  // namespace semel::bench
