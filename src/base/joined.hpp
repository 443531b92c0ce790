// A list as one text.
#pragma once

#include <fmt/format.h>
#include <iterator>
#include <string>
#include <string_view>

namespace semel {

/// The parts as fmt writes each, with `between` after each but the last; "" of none. In place of
/// fmt::join, whose formatter GCC 12 takes for an overflow at -O3.
template <class Parts>
std::string joined(const Parts& parts, std::string_view between) {
  std::string text;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) text += between;
    first = false;
    fmt::format_to(std::back_inserter(text), "{}", part);
  }
  return text;
}

}  // namespace semel
