#include "record/decimal.hpp"

#include <algorithm>
#include <limits>

namespace semel::record {
namespace {

constexpr std::int64_t kExponentLimit = std::int64_t{1} << 30;

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(digits.size());
  return digits;
}

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

std::string_view without_leading_zeros(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal number;
  number.negative = take_sign(text);
  const std::string_view whole = take_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    number.fraction = take_digits(text);
  }
  if (whole.empty() && number.fraction.empty()) return std::nullopt;
  std::int64_t exponent = 0;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    const bool negative = take_sign(text);
    const std::string_view digits = take_digits(text);
    if (digits.empty()) return std::nullopt;
    for (const char c : digits) exponent = std::min(kExponentLimit, exponent * 10 + (c - '0'));
    if (negative) exponent = -exponent;
  }
  if (!text.empty()) return std::nullopt;

  number.scale =
      std::max<std::int64_t>(0, static_cast<std::int64_t>(number.fraction.size()) - exponent);
  number.whole = without_leading_zeros(whole);
  if (number.whole.empty()) {
    const std::string_view rest = without_leading_zeros(number.fraction);
    number.point = -static_cast<std::int64_t>(number.fraction.size() - rest.size());
    number.fraction = rest;
  } else {
    number.point = static_cast<std::int64_t>(number.whole.size());
  }
  number.point += exponent;
  return number;
}

std::optional<std::int64_t> to_integer(const Decimal& number, int shift) {
  if (number.size() == 0) return 0;
  const std::int64_t digits = number.point + shift;  // how many of them are before the point now
  if (digits > 19) return std::nullopt;
  std::uint64_t result = 0;
  for (std::int64_t i = 0; i < digits; ++i) {
    // 19 digits always fit into 64 unsigned bits.
    result = result * 10 + static_cast<std::uint64_t>(number.digit(i));
  }
  if (digits >= 0) {
    const int next = number.digit(digits);
    bool more = false;
    for (auto i = digits + 1; i < static_cast<std::int64_t>(number.size()); ++i) {
      more = more || number.digit(i) != 0;
    }
    if (next > 5 || (next == 5 && (more || result % 2 == 1))) ++result;
  }
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (result > max) return std::nullopt;
  const auto magnitude = static_cast<std::int64_t>(result);
  return number.negative ? -magnitude : magnitude;
}

}  // namespace semel::record
