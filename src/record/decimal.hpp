// A decimal number as written, without a conversion that could lose something.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace semel::record {

/// 0.DIGITS × 10^point, where DIGITS are whole + fraction without leading zeros. Views into the
/// text.
struct Decimal {
  bool negative = false;
  std::string_view whole;     ///< digits before the point
  std::string_view fraction;  ///< digits after it
  std::int64_t point = 0;     ///< where the point is, counted in digits from the first one
  std::int64_t scale = 0;     ///< digits after the point as they are written out; 0 or more

  std::size_t size() const { return whole.size() + fraction.size(); }
  /// The digit at `index`, 0 to 9; 0 outside.
  int digit(std::int64_t index) const {
    if (index < 0) return 0;
    auto at = static_cast<std::size_t>(index);
    if (at < whole.size()) return whole[at] - '0';
    at -= whole.size();
    return at < fraction.size() ? fraction[at] - '0' : 0;
  }
};

/// [+-]digits[.digits][e[+-]digits], with at least one digit. No white space. Exponents are held at
/// ±2^30: far outside of what any type holds.
std::optional<Decimal> parse_decimal(std::string_view text);

/// `number` × 10^`shift` as an integer, rounded to the nearest, halves to even; absent where it
/// does not fit into 64 bits.
std::optional<std::int64_t> to_integer(const Decimal& number, int shift);

}  // namespace semel::record
