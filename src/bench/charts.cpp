#include "bench/charts.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <iterator>

#include "bench/words.hpp"

namespace semel::bench {

namespace {

// Of the drawing, in its own units.
constexpr double width = 720;
constexpr double height = 200;
constexpr double left = 80;
constexpr double right = 16;
constexpr double top = 12;
constexpr double bottom = 28;
constexpr double bar_height = 22;
constexpr double label_width = 190;
constexpr double text_width = 130;

/// 1, 2 or 5 times a power of ten: about five of them make `max`.
double step_for(double max) {
  if (max <= 0) return 1;
  const double raw = max / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string progress_chart(const Run& run, std::int64_t records, double seconds_max) {
  const double rows_max =
      std::max<double>(static_cast<double>(records),
                       run.samples.empty() ? 0 : static_cast<double>(run.samples.back().rows));
  const auto x = [&](double seconds) {
    return left + (width - left - right) * seconds / std::max(seconds_max, 1e-9);
  };
  const auto y = [&](double rows) {
    return height - bottom - (height - top - bottom) * rows / std::max(rows_max, 1.0);
  };
  std::string svg =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="committed rows over time">)",
                  width, height);
  auto out = std::back_inserter(svg);
  for (double rows = 0; rows <= rows_max * 1.001; rows += step_for(rows_max)) {
    fmt::format_to(out,
                   R"(<line class="grid" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/>)",
                   left, width - right, y(rows));
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 6,
                   y(rows) + 4, grouped(rows));
  }
  for (double at = 0; at <= seconds_max * 1.001; at += step_for(seconds_max)) {
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{:g} s</text>)", x(at),
                   height - 8, at);
  }
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
    fmt::format_to(out, R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)", at_x, top,
                   height - bottom);
    fmt::format_to(out, R"(<circle cx="{:.1f}" cy="{:.1f}" r="4"/></g>)", at_x, at_y);
  }
  return svg + "</svg>";
}

std::string bar_chart(const std::vector<Bar>& bars, const std::string& title) {
  double max = 0;
  for (const auto& bar : bars) max = std::max(max, bar.value);
  const double room = width - label_width - text_width;
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", width,
                                bar_height * static_cast<double>(bars.size()) + 4, escaped(title));
  double at = 2;
  for (const auto& bar : bars) {
    const double length = max > 0 ? room * bar.value / max : 0;
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                       label_width - 8, at + bar_height - 8, escaped(bar.label));
    svg += fmt::format(
        R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>)",
        bar.style, label_width, at + 3, std::max(length, bar.value > 0 ? 1.5 : 0.0),
        bar_height - 8);
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", label_width + length + 6,
                       at + bar_height - 8, escaped(bar.text));
    at += bar_height;
  }
  return svg + "</svg>";
}

}  // namespace semel::bench
