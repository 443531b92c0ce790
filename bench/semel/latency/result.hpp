// What `semel bench latency` measured, as values: the reports are made from these and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/semel/oracle.hpp"
#include "bench/semel/origin.hpp"
#include "bench/semel/setup.hpp"
#include "bench/semel/statistics.hpp"
#include "bench/semel/told.hpp"

namespace semel::bench {

struct LatencyPlan {
  Setup setup;
  double rate = 10'000;  ///< records per second
  double seconds = 30;   ///< measured, after the warm-up
  std::int64_t interval_ms = 10;
  int small_batches = 200;

  /// Produced before what is measured, at the same rate; they must arrive like all others.
  std::int64_t warm_up_records() const;
  std::int64_t measured_records() const;
  /// In each small batch: at least four, and one for each partition.
  int small_records() const;
};

struct Spread {
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
};
/// Nothing of nothing.
std::optional<Spread> spread_of(const std::vector<double>& values);

/// Records at a steady rate, the pipeline running beside.
struct SteadyRun {
  std::vector<double> visible_ms;  ///< from before the produce call to the reader's answer
  double seconds = 0;              ///< from the first record of them produced to the last one seen
  double poll_ms_p99 = 0;          ///< between two answers: the resolution, and part of every value
  double late_ms_p99 = 0;          ///< records produced after their moment
  double cores = 0;                ///< CPU seconds of semel per second, start-up included
  std::optional<double> load;      ///< the machine's load average before it
  DriverFigures driver;
};

/// A few records at a time, spread over the partitions, the pipeline caught up before each.
struct SmallBatches {
  std::int64_t interval_ms = 1;
  std::vector<double> visible_ms;       ///< from before the first produce call until all are seen
  std::vector<double> acknowledged_ms;  ///< from there until the brokers had acknowledged all
  std::vector<double> bare_ms;          ///< the same rows in one INSERT on a plain connection
  double poll_ms_p99 = 0;
  DriverFigures driver;

  /// The difference of the p50: what is on top of the bare transaction.
  double beyond_ms() const;
};

struct LatencyReport {
  LatencyPlan plan;
  Origin origin;
  SteadyRun steady;
  SmallBatches small;
  Comparison comparison;  ///< of all records of both parts
};

// The reports.
std::string text_report(const LatencyReport& report);
std::string json_report(const LatencyReport& report);
std::string html_report(const LatencyReport& report);

}  // namespace semel::bench
