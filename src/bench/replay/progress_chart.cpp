#include "bench/replay/progress_chart.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>

#include "bench/charts.hpp"
#include "bench/words.hpp"

namespace semel::bench {

std::string progress_chart(const Run& run, std::int64_t records, double seconds_max) {
  const double rows_max =
      std::max<double>(static_cast<double>(records),
                       run.samples.empty() ? 0 : static_cast<double>(run.samples.back().rows));
  Axes axes(seconds_max, rows_max, "s", "committed rows over time");
  const auto x = [&](double seconds) { return axes.x(seconds); };
  const auto y = [&](double rows) { return axes.y(rows); };
  auto out = std::back_inserter(axes.svg);
  std::string points = fmt::format("{:.1f},{:.1f}", x(0), y(0));
  double before = 0;
  for (const auto& sample : run.samples) {
    const auto rows = static_cast<double>(sample.rows);
    // A commit is a step.
    points +=
        fmt::format(" {0:.1f},{1:.1f} {0:.1f},{2:.1f}", x(sample.seconds), y(before), y(rows));
    before = rows;
  }
  fmt::format_to(out, R"(<polyline class="curve" points="{}"/>)", points);
  for (const auto& kill : run.kills) {
    const auto at_x = x(kill.seconds);
    const auto at_y = y(static_cast<double>(kill.rows));
    const auto restart =
        kill.first_commit_ms ? fmt::format("{:.0f} ms to the next row", *kill.first_commit_ms) : "";
    fmt::format_to(out, R"(<g class="kill"><title>killed at {:.2f} s, {} rows; {}</title>)",
                   kill.seconds, grouped(kill.rows), restart);
    fmt::format_to(out, R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)", at_x,
                   axes.top(), axes.bottom());
    fmt::format_to(out, R"(<circle cx="{:.1f}" cy="{:.1f}" r="4"/></g>)", at_x, at_y);
  }
  return axes.svg + "</svg>";
}

}  // namespace semel::bench
