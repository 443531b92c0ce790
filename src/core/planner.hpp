// From what Kafka has and what was planned before to the ranges of the next batch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <semel/types.hpp>

#include "core/limits.hpp"

namespace semel::core {

/// A partition that may be planned for: it begins at `position` and has records below `end`.
struct Plannable {
  TopicPartition tp;
  Offset position = 0;
  Offset end = 0;
};

/// What bounds one batch beside the limits of the configuration.
struct Budget {
  std::optional<double> rate;    ///< records per second, from the estimator or the initial rate
  double mean_record_bytes = 0;  ///< seen so far; 0: unknown, then max_bytes does not bound
};

/// At most one range per partition, in the order given; none for a partition without new records.
/// Where the budget does not suffice for all, it is split in proportion to the lags, and nobody
/// with records goes empty: a share is at least min_records_per_partition (so a budget smaller than
/// the number of partitions is exceeded rather than starving some). Offsets up to the largest are
/// safe.
std::vector<OffsetRange> plan_ranges(std::span<const Plannable> partitions, const Limits& limits,
                                     const Budget& budget);

/// When the interval of `now_ms` began.
std::int64_t interval_begin(std::int64_t now_ms, std::int64_t interval_ms);

/// The time of a batch planned at `now_ms`: a multiple of the interval if that is above `last`,
/// else now; always above `last`, whatever the clock does.
BatchTime next_batch_time(std::int64_t now_ms, std::int64_t interval_ms, BatchTime last);

}  // namespace semel::core
