#include "metrics/beats.hpp"

#include <fmt/format.h>

namespace semel::metrics {

Beat& Beats::add(std::string thread) {
  const std::lock_guard lock(mutex_);
  return threads_.emplace_back(std::move(thread)).beat;
}

std::vector<std::string> Beats::late(Beat::Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> late;
  for (const auto& [name, beat] : threads_) {
    const auto by = beat.late(now);
    if (by <= Beat::Clock::duration::zero()) continue;
    late.push_back(fmt::format("{} has not moved for {} s longer than it should", name,
                               std::chrono::duration_cast<std::chrono::seconds>(by).count()));
  }
  return late;
}

}  // namespace semel::metrics
