// Median and percentile, defined so that two people get the same number.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace semel::bench {

/// The middle value; of an even number of values the mean of the middle two. Nothing of nothing.
std::optional<double> median(std::vector<double> values);

/// Nearest rank: the smallest value that at least `percent` of all values do not exceed. Of fewer
/// than 100 values the 99th percentile is the largest.
std::optional<double> percentile(std::vector<double> values, double percent);

/// Values in [from, until).
struct Bucket {
  double from = 0;
  double until = 0;
  std::int64_t count = 0;

  bool operator==(const Bucket&) const = default;
};

/// Buckets of one width from 0, 31 at most: the 99th percentile
/// is somewhere in the middle. The last one holds what is beyond as well, and reaches past the
/// largest value. No negative values.
std::vector<Bucket> histogram(const std::vector<double>& values);

/// The least of 1, 2 and 5 times a power of ten that is not less than `value`; 1 for nothing.
double round_up(double value);

}  // namespace semel::bench
