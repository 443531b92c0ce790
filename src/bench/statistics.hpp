// Median and percentile, defined so that two people get the same number.
#pragma once

#include <optional>
#include <vector>

namespace semel::bench {

/// The middle value; of an even number of values the mean of the middle two. Nothing of nothing.
std::optional<double> median(std::vector<double> values);

/// Nearest rank: the smallest value that at least `percent` of all values do not exceed. Of fewer
/// than 100 values the 99th percentile is the largest.
std::optional<double> percentile(std::vector<double> values, double percent);

}  // namespace semel::bench
