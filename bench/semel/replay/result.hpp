// What was measured, as values: the reports are made from these and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/semel/oracle.hpp"
#include "bench/semel/origin.hpp"
#include "bench/semel/replay/plan.hpp"

namespace semel::bench {

/// Rows committed at a moment.
struct Sample {
  double seconds = 0;  ///< since the first process of the run was started
  std::int64_t rows = 0;
};

struct Kill {
  double seconds = 0;  ///< since the first process of the run was started
  std::int64_t rows = 0;
  // Since the next process was started (fork):
  std::optional<double> first_read_ms;    ///< its first record from Kafka
  std::optional<double> first_commit_ms;  ///< its first committed row
};

/// One run of one way through all records.
struct Run {
  double seconds = 0;             ///< from the first start to the last committed row
  double working_seconds = 0;     ///< from the first committed row to the last
  std::optional<double> cold_ms;  ///< from the first start to the first committed row
  double last_restart_to_end_ms = 0;
  std::vector<Sample> samples;
  std::vector<Kill> kills;
  double interval_s = 0;   ///< the longest: between a first committed row and its kill, at most
  std::uint64_t read = 0;  ///< records that came from Kafka, all processes together, each up to the
                           ///< moment before its kill
  std::optional<std::int64_t> rolled_back;
  double poll_ms_p99 = 0;  ///< between two looks at the database: the resolution of all times
  int fenced = 0;          ///< frozen processes that woke up and ended as fenced (STOP only)
  Comparison comparison;
};

struct Contender {
  Kind kind = Kind::semel;
  Run calm;                   ///< without kills
  std::optional<Run> stormy;  ///< with kills
};

double rows_per_second(const Run& run, std::int64_t records);
std::vector<double> first_commits_ms(const Run& run);
std::int64_t read_again(const Run& run, std::int64_t records);

struct Report {
  Plan plan;
  std::int64_t transaction_records = 0;
  Origin origin;
  std::vector<Contender> contenders;

  /// semel lost nothing and doubled nothing, with kills and without.
  bool exactly_once() const;
};

// The reports.
std::string text_report(const Report& report);
std::string json_report(const Report& report);
std::string html_report(const Report& report);

}  // namespace semel::bench
