// One run: a process is started, watched from another connection, killed, started again, until all
// records are there.
#pragma once

#include <functional>
#include <vector>

#include <semel/error.hpp>

#include "bench/semel/audience.hpp"
#include "bench/semel/replay/result.hpp"
#include "bench/semel/venue.hpp"

namespace semel::bench {

struct Drill {
  std::int64_t records = 0;
  std::vector<double> kill_parts;  ///< empty: no kills
  double kill_every_s = 0;
  double calm_seconds = 0;  ///< what the work took without kills, from the first row to the last
  int signal = 9;
  std::function<bool()> interrupted;
};

/// The Run without its verdict.
Result<Run> perform(Venue& venue, const Scene& scene, const Drill& drill, Meter& meter);

}  // namespace semel::bench
