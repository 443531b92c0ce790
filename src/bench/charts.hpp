// Inline SVG: colours and fonts come from the page's style sheet.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/result.hpp"

namespace semel::bench {

/// Text for HTML and SVG.
std::string escaped(const std::string& text);

/// Committed rows over time; a mark on the curve for each kill.
std::string progress_chart(const Run& run, std::int64_t records, double seconds_max);

struct Bar {
  std::string label;
  double value = 0;
  std::string text;   ///< what is written behind it
  std::string style;  ///< class: "good", "bad" or "plain"
};
std::string bar_chart(const std::vector<Bar>& bars, const std::string& title);

}  // namespace semel::bench
