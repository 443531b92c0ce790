// Numbers, times and tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace semel::cli {

/// 1234567 → "1,234,567"
std::string grouped(std::int64_t number);
std::string grouped(std::uint64_t number);

/// 1, "row" → "1 row"; 2 → "2 rows"
std::string counted(std::uint64_t number, std::string_view what);

/// 0.4 → "0.4 s", 75 → "1 min 15 s", 7300 → "2 h 1 min"
std::string for_people(double seconds);

/// How many characters of a terminal the (UTF-8) text takes; wide ones count as one.
std::size_t columns_of(const std::string& text);

/// The first row is the heading. Columns but the first are aligned to the right, the last of them
/// to the left where `last_is_text`.
std::string table(const std::vector<std::vector<std::string>>& rows, bool last_is_text = false);

}  // namespace semel::cli
