#include "simulation/many.hpp"

#include <fmt/format.h>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace semel::simulation {

namespace {

constexpr int told_max = 400;

}  // namespace

std::optional<FailingSeed> fail_of(std::uint64_t seed, const Variant& variant) {
  if (auto failure = run_seed(seed, variant))
    return FailingSeed{seed, *std::move(failure), variant};
  return std::nullopt;
}

std::optional<FailingSeed> run_seeds(std::uint64_t first, std::uint64_t count, unsigned threads,
                                     const Variant& variant) {
  std::atomic<std::uint64_t> next{first};
  std::mutex mutex;
  std::optional<FailingSeed> lowest;
  const auto work = [&] {
    while (true) {
      const auto seed = next++;
      if (seed >= first + count) return;
      auto failing = fail_of(seed, variant);
      if (!failing) continue;
      next = first + count;
      const std::lock_guard lock(mutex);
      if (!lowest || failing->seed < lowest->seed) lowest = std::move(failing);
    }
  };
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  return lowest;
}

std::string describe(const FailingSeed& failing) {
  const auto shortened = shorten(failing.failure, failing.variant);
  std::string text = fmt::format("seed {} breaks {}\nreplay it: {} --replay {}\n", failing.seed,
                                 failing.failure.what, failing.variant.program, failing.seed);
  text += fmt::format("shortened from {} choices to {}:\n", failing.failure.schedule.size(),
                      shortened.schedule.size());
  int lines = 0;
  const auto again =
      run_schedule(shortened.schedule, failing.variant, [&](const std::string& line) {
        if (++lines <= told_max) text += line + "\n";
      });
  if (lines > told_max) text += fmt::format("... and {} lines more\n", lines - told_max);
  text += again ? again->what + "\n" : "";
  return text;
}

}  // namespace semel::simulation
