// What `semel bench throughput` measured, as values: the reports are made from these and nothing
// else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/semel/oracle.hpp"
#include "bench/semel/origin.hpp"
#include "bench/semel/setup.hpp"

namespace semel::bench {

/// `semel run --once` through all records, into a table of its own.
struct Drain {
  double seconds = 0;  ///< from just before the process's start to its end
  /// From the first record that the sink was handed to the last commit: start and end excluded.
  double steady_seconds = 0;
  double cpu_seconds = 0;  ///< of the process, user and system
  std::optional<std::int64_t> peak_memory_kib;
  std::optional<double> load;  ///< the machine's load average before it
  Comparison comparison;
};

struct ThroughputReport {
  Setup setup;
  Origin origin;
  std::vector<Drain> runs;

  bool exactly_once() const;
};

/// Of one run, or the median of all.
struct ThroughputFigures {
  double rows_per_second = 0;
  double steady_rows_per_second = 0;
  double cpu_seconds_per_million = 0;
  std::optional<double> peak_memory_mib;
};
ThroughputFigures figures_of(const Drain& run, std::int64_t records);
ThroughputFigures medians_of(const ThroughputReport& report);

// The reports.
std::string text_report(const ThroughputReport& report);
std::string json_report(const ThroughputReport& report);
std::string html_report(const ThroughputReport& report);

}  // namespace semel::bench
