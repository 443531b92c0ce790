// Inline SVG: colours and fonts come from the page's style sheet.
#pragma once

#include <string>
#include <vector>

#include "bench/semel/statistics.hpp"

namespace semel::bench {

/// Text for HTML and SVG.
std::string escaped(const std::string& text);

/// Axes from (0, 0) to (x_max, y_max) with their numbers, opened: what is appended to `svg` is
/// drawn on them, and "</svg>" ends it.
class Axes {
 public:
  Axes(double x_max, double y_max, const std::string& x_unit, const std::string& title);
  // In the drawing's units:
  double x(double value) const;
  double y(double value) const;
  double top() const;
  double bottom() const;

  std::string svg;

 private:
  double x_max_;
  double y_max_;
};

/// How many values there are of each size.
std::string histogram_chart(const std::vector<Bucket>& buckets, const std::string& unit,
                            const std::string& title);

struct Bar {
  std::string label;
  double value = 0;
  std::string text;   ///< what is written behind it
  std::string style;  ///< class: "good", "bad" or "plain"
};
std::string bar_chart(const std::vector<Bar>& bars, const std::string& title);

}  // namespace semel::bench
