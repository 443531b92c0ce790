#include "bench/semel/told.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "http/client.hpp"

namespace semel::bench {

namespace {

constexpr auto patience = std::chrono::milliseconds(500);

/// Of the first sample of that name whose labels hold `label`.
double value_of(const std::string& page, std::string_view name, std::string_view label = "") {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.substr(0, line.find_first_of("{ ")) != name) continue;
    if (line.find(label) == std::string::npos) continue;
    return std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return 0;
}

DriverFigures::Figure figure_of(const std::string& page, std::string_view name) {
  const auto at = [&](std::string_view quantile) {
    return std::llround(value_of(page, name, quantile) * 1e9);
  };
  return {.median_ns = at("quantile=\"0.5\""), .p99_ns = at("quantile=\"0.99\"")};
}

}  // namespace

Figures figures_in(const std::string& page) {
  Figures figures;
  figures.read = static_cast<std::uint64_t>(value_of(page, "semel_read_records_total"));
  figures.first_read = value_of(page, "semel_first_read_timestamp_seconds");
  figures.last_commit = value_of(page, "semel_last_progress_timestamp_seconds");
  figures.driver.batches =
      static_cast<std::uint64_t>(value_of(page, "semel_driver_batch_seconds_count"));
  figures.driver.batch = figure_of(page, "semel_driver_batch_seconds");
  figures.driver.deciding = figure_of(page, "semel_driver_deciding_seconds");
  figures.driver.syncing = figure_of(page, "semel_plan_sync_seconds");
  return figures;
}

void Told::take(const std::string& page) {
  const auto figures = figures_in(page);
  // The file of a process that was killed is as old as its start.
  if (figures.read >= figures_.read) figures_ = figures;
}

void Told::ask() {
  if (const auto page = http::get(address_, "/metrics", patience)) take(page->text);
}

void Told::look_into_file() {
  std::ifstream file(file_, std::ios::binary);
  std::ostringstream page;
  page << file.rdbuf();
  take(page.str());
}

}  // namespace semel::bench
