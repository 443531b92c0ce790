#include "bench/semel/charts.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>

#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

// Of the drawing, in its own units.
constexpr double width = 720;
constexpr double height = 200;
constexpr double left = 80;
constexpr double right = 16;
constexpr double above = 12;
constexpr double below = 28;
constexpr double bar_height = 22;
constexpr double label_width = 190;
constexpr double text_width = 130;

/// About five of them make `max`.
double step_for(double max) {
  return round_up(max / 5);
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

Axes::Axes(double x_max, double y_max, const std::string& x_unit, const std::string& title)
    : x_max_(std::max(x_max, 1e-9)), y_max_(std::max(y_max, 1.0)) {
  svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", width, height,
                    escaped(title));
  auto out = std::back_inserter(svg);
  for (double at = 0; at <= y_max * 1.001; at += step_for(y_max)) {
    fmt::format_to(out,
                   R"(<line class="grid" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/>)",
                   left, width - right, y(at));
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 6,
                   y(at) + 4, grouped(at));
  }
  for (double at = 0; at <= x_max * 1.001; at += step_for(x_max)) {
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{:g} {}</text>)", x(at),
                   height - 8, at, x_unit);
  }
}

double Axes::x(double value) const {
  return left + (width - left - right) * value / x_max_;
}
double Axes::y(double value) const {
  return bottom() - (bottom() - top()) * value / y_max_;
}
double Axes::top() const {
  return above;
}
double Axes::bottom() const {
  return height - below;
}

std::string histogram_chart(const std::vector<Bucket>& buckets, const std::string& unit,
                            const std::string& title) {
  std::int64_t most = 0;
  for (const auto& bucket : buckets) most = std::max(most, bucket.count);
  // The last bucket holds the far ones: it is drawn as wide as the others.
  const double wide = buckets.empty() ? 1 : buckets.front().until - buckets.front().from;
  Axes axes(wide * static_cast<double>(buckets.size()), static_cast<double>(most), unit, title);
  for (const auto& bucket : buckets) {
    const auto at = axes.x(bucket.from) + 0.5;
    const auto level = axes.y(static_cast<double>(bucket.count));
    axes.svg += fmt::format(
        R"(<rect class="plain" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">)", at, level,
        std::max(axes.x(bucket.from + wide) - at - 0.5, 0.5), axes.bottom() - level);
    axes.svg += fmt::format("<title>{:g} to {:.4g} {}: {}</title></rect>", bucket.from,
                            bucket.until, escaped(unit), grouped(bucket.count));
  }
  return axes.svg + "</svg>";
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
