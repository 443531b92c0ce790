// One run: a process is started, watched from another connection, killed, started again, until all
// records are there.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include <semel/error.hpp>

#include "bench/result.hpp"
#include "bench/stage.hpp"

namespace semel::bench {

/// What people may look at while it runs. Any thread.
struct Progress {
  std::atomic<std::int64_t> done{0};
  std::atomic<std::int64_t> total{0};
};

struct Drill {
  std::int64_t records = 0;
  std::vector<double> kill_parts;  ///< empty: no kills
  double kill_every_s = 0;
  double calm_seconds = 0;  ///< what the work took without kills, from the first row to the last
  int signal = 9;
  std::function<bool()> interrupted;
};

/// The Run without its verdict.
Result<Run> perform(Stage& stage, const Scene& scene, const Drill& drill, Progress& progress);

}  // namespace semel::bench
