// When an outage is told: at once, and again ever more rarely, by time and not by tries.
#pragma once

#include <cstdint>

namespace semel::core {

class Outage {
 public:
  /// It is still there, or begins: whether that is to be told.
  bool tell(std::int64_t now_ms);
  /// It is over; how long it was in ms, -1 where there was none.
  std::int64_t end(std::int64_t now_ms);

  bool on() const { return since_ms_ >= 0; }
  std::int64_t lasted_ms(std::int64_t now_ms) const { return now_ms - since_ms_; }
  int failures() const { return failures_; }

 private:
  std::int64_t since_ms_ = -1;
  std::int64_t told_ms_ = -1;
  int failures_ = 0;
};

/// For people.
inline std::int64_t seconds_of(std::int64_t ms) {
  return (ms + 999) / 1'000;
}

}  // namespace semel::core
