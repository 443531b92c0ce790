#include "postgres/bad_tally.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace semel::postgres {

std::string BadTally::commonest() const {
  const auto most = std::ranges::max_element(
      reasons_, {}, [](const auto& reason) { return reason.second.first; });
  if (most == reasons_.end()) return "";
  const auto& [key, count_and_reason] = *most;
  const auto column = key.second.empty() ? "" : fmt::format("column \"{}\": ", key.second);
  return fmt::format("{}{} (SQLSTATE {}), {} of {} times", column, count_and_reason.second,
                     key.first, count_and_reason.first, bad_);
}

}  // namespace semel::postgres
