#include "bench/semel/replay/progress_chart.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "bench/semel/charts.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

/// A commit is a step.
std::string steps(const Axes& axes, const std::vector<Sample>& samples) {
  std::string points = fmt::format("{:.1f},{:.1f}", axes.x(0), axes.y(0));
  double before = 0;
  for (const auto& sample : samples) {
    const auto rows = static_cast<double>(sample.rows);
    points += fmt::format(" {0:.1f},{1:.1f} {0:.1f},{2:.1f}", axes.x(sample.seconds),
                          axes.y(before), axes.y(rows));
    before = rows;
  }
  return points;
}

std::string mark(const Axes& axes, const Kill& kill, const std::string& name) {
  const auto restart =
      kill.first_commit_ms ? fmt::format("{:.0f} ms to the next row", *kill.first_commit_ms) : "";
  return fmt::format(
      R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}: killed at {:.2f} s, {} rows; {}</title></circle>)",
      axes.x(kill.seconds), axes.y(static_cast<double>(kill.rows)), escaped(name), kill.seconds,
      grouped(kill.rows), restart);
}

}  // namespace

std::string progress_chart(const Report& report) {
  double seconds = 0;
  auto rows = static_cast<double>(report.plan.setup.records);
  for (const auto& contender : report.contenders) {
    if (!contender.stormy) continue;
    seconds = std::max(seconds, contender.stormy->seconds);
    for (const auto& sample : contender.stormy->samples) {
      rows = std::max(rows, static_cast<double>(sample.rows));
    }
  }
  Axes axes(seconds, rows, "s", "committed rows over time");
  // semel comes first in the list, and lies on top.
  for (auto at = report.contenders.rbegin(); at != report.contenders.rend(); ++at) {
    if (!at->stormy) continue;
    axes.svg += fmt::format(R"(<g class="way c{}"><polyline points="{}"/>)",
                            static_cast<int>(at->kind), steps(axes, at->stormy->samples));
    for (const auto& kill : at->stormy->kills) axes.svg += mark(axes, kill, to_string(at->kind));
    axes.svg += "</g>";
  }
  return axes.svg + "</svg>";
}

}  // namespace semel::bench
