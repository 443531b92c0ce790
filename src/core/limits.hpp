// How much a batch may hold.
#pragma once

#include <cstdint>

namespace semel::core {

/// Counts are of offsets, since the records behind them are unknown when a range is planned.
struct Limits {
  std::int64_t interval_ms = 250;  ///< how often a pipeline that has caught up plans
  std::int64_t max_records = 0;    ///< of one batch, over all partitions; 0: no limit
  std::int64_t max_bytes =
      0;  ///< of one batch: a target, from the mean record size seen; 0: no limit
  std::int64_t max_records_per_partition = 100'000;  ///< of one range
  std::int64_t min_records_per_partition = 1;        ///< a share is never rounded below this
  bool backpressure = false;      ///< bound batches by the PID estimate of the rate
  std::int64_t initial_rate = 0;  ///< records per second assumed for the first batch; 0: no limit
  double pid_proportional = 1.0;  ///< Spark's defaults (PIDRateEstimator)
  double pid_integral = 0.2;
  double pid_derivative = 0.0;
  double min_rate = 100;  ///< records per second, never estimated below
};

}  // namespace semel::core
