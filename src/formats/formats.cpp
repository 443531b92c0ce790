#include "formats/formats.hpp"

#include <algorithm>
#include <array>

namespace semel::formats {

std::span<const FormatPtr> all() {
  static const std::array formats{json(), raw()};
  return formats;
}

FormatPtr find(std::string_view name) {
  const auto found =
      std::ranges::find(all(), name, [](const FormatPtr& format) { return format->name(); });
  return found == all().end() ? nullptr : *found;
}

}  // namespace semel::formats
