#include "core/outage.hpp"

#include <algorithm>
#include <utility>

namespace semel::core {

namespace {

// A restart takes seconds and is one line; then each time after as long as it has lasted, so that
// an hour is eight.
constexpr std::int64_t pause_ms_min = 30'000;
constexpr std::int64_t pause_ms_max = 3'600'000;

}  // namespace

bool Outage::tell(std::int64_t now_ms) {
  ++failures_;
  if (!on()) {
    since_ms_ = told_ms_ = now_ms;
    return true;
  }
  if (now_ms - told_ms_ < std::clamp(told_ms_ - since_ms_, pause_ms_min, pause_ms_max))
    return false;
  told_ms_ = now_ms;
  return true;
}

std::int64_t Outage::end(std::int64_t now_ms) {
  const auto lasted = on() ? lasted_ms(now_ms) : -1;
  *this = {};
  return lasted;
}

}  // namespace semel::core
