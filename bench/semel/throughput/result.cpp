#include "bench/semel/throughput/result.hpp"

#include <algorithm>

#include "bench/semel/statistics.hpp"

namespace semel::bench {

namespace {

double per_second(std::int64_t records, double seconds) {
  return seconds > 0 ? static_cast<double>(records) / seconds : 0;
}

}  // namespace

bool ThroughputReport::exactly_once() const {
  return std::ranges::all_of(runs, [](const Drain& run) { return run.comparison.exactly_once(); });
}

ThroughputFigures figures_of(const Drain& run, std::int64_t records) {
  ThroughputFigures figures{
      .rows_per_second = per_second(records, run.seconds),
      .steady_rows_per_second = per_second(records, run.steady_seconds),
      .cpu_seconds_per_million = run.cpu_seconds * 1e6 / static_cast<double>(records)};
  if (run.peak_memory_kib) {
    figures.peak_memory_mib = static_cast<double>(*run.peak_memory_kib) / 1024;
  }
  return figures;
}

ThroughputFigures medians_of(const ThroughputReport& report) {
  std::vector<double> rates;
  std::vector<double> steady;
  std::vector<double> cpu;
  std::vector<double> memory;
  for (const auto& run : report.runs) {
    const auto figures = figures_of(run, report.setup.records);
    rates.push_back(figures.rows_per_second);
    steady.push_back(figures.steady_rows_per_second);
    cpu.push_back(figures.cpu_seconds_per_million);
    if (figures.peak_memory_mib) memory.push_back(*figures.peak_memory_mib);
  }
  return {.rows_per_second = median(rates).value_or(0),
          .steady_rows_per_second = median(steady).value_or(0),
          .cpu_seconds_per_million = median(cpu).value_or(0),
          .peak_memory_mib = median(memory)};
}

}  // namespace semel::bench
