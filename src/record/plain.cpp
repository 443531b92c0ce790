#include "record/plain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "record/spell.hpp"

namespace semel::record {

namespace {

/// ±digits × 10^exponent; no zero at either end of the digits. None: it is 0.
struct Written {
  bool negative = false;
  std::string digits{};
  std::int64_t exponent = 0;

  bool operator==(const Written&) const = default;
};

bool decimal_digit(char c) {
  return c >= '0' && c <= '9';
}

bool skip_sign(std::string_view text, std::size_t& at) {
  if (at >= text.size() || (text[at] != '-' && text[at] != '+')) return false;
  return text[at++] == '-';
}

/// What stands behind the "e"; beyond a billion it is a billion.
std::optional<std::int64_t> exponent_of(std::string_view text) {
  constexpr std::int64_t max = 1'000'000'000;
  std::size_t at = 0;
  const bool negative = skip_sign(text, at);
  if (at == text.size()) return std::nullopt;
  std::int64_t exponent = 0;
  for (; at < text.size(); ++at) {
    if (!decimal_digit(text[at])) return std::nullopt;
    exponent = std::min(max, exponent * 10 + (text[at] - '0'));
  }
  return negative ? -exponent : exponent;
}

/// Nothing where the text is no number in digits.
std::optional<Written> decimal_of(std::string_view text) {
  Written made;
  std::size_t at = 0;
  made.negative = skip_sign(text, at);
  bool any = false;
  bool behind_point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !behind_point) {
      behind_point = true;
      continue;
    }
    if (!decimal_digit(c)) break;
    any = true;
    if (behind_point) --made.exponent;
    if (!made.digits.empty() || c != '0') made.digits += c;
  }
  if (!any) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    const auto exponent = exponent_of(text.substr(at + 1));
    if (!exponent) return std::nullopt;
    made.exponent += *exponent;
  }
  while (made.digits.ends_with('0')) {
    made.digits.pop_back();
    ++made.exponent;
  }
  return made.digits.empty() ? Written{} : made;
}

std::optional<std::int64_t> integer_of(const Written& decimal) {
  if (decimal.digits.empty()) return 0;
  constexpr std::int64_t digits_max = 19;
  const auto zeros = decimal.exponent;
  if (zeros < 0 || static_cast<std::int64_t>(decimal.digits.size()) + zeros > digits_max) {
    return std::nullopt;
  }
  const auto text =
      fmt::format("{}{}{:0<{}}", decimal.negative ? "-" : "", decimal.digits, "", zeros);
  std::int64_t integer = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, integer);
  return read.ec == std::errc() && read.ptr == end ? std::optional(integer) : std::nullopt;
}

/// Whether the double gives back each digit that was written.
bool keeps(double real, const Written& written) {
  constexpr std::size_t digits_max = 767;  // no double has more
  const auto count = std::max<std::size_t>(written.digits.size(), 1);
  if (count > digits_max) return false;
  constexpr std::size_t beside_digits = 10;  // sign, point, exponent
  std::array<char, digits_max + beside_digits> text{};
  const auto made = std::to_chars(text.data(), text.data() + text.size(), real,
                                  std::chars_format::scientific, static_cast<int>(count) - 1);
  return made.ec == std::errc() &&
         decimal_of({text.data(), static_cast<std::size_t>(made.ptr - text.data())}) == written;
}

/// A number as it was written.
Plain plain_number(std::string_view text, Prefer prefer) {
  if (prefer == Prefer::text) return text;
  std::int64_t integer = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, integer);
  if (read.ec == std::errc() && read.ptr == end) return integer;
  const auto written = decimal_of(text);
  const double real = std::strtod(std::string(text).c_str(), nullptr);
  if (!written || !std::isfinite(real)) return NotPlain{"the number is too large"};
  if (real == 0 && !written->digits.empty()) return NotPlain{"the number is too small"};
  if (prefer == Prefer::real) return real;
  const auto whole = integer_of(*written);
  constexpr std::int64_t doubles_are_whole = std::int64_t{1} << 53;
  const bool small = whole && *whole <= doubles_are_whole && *whole >= -doubles_are_whole;
  if (prefer == Prefer::bytes && small) return real;
  if (whole) return *whole;
  if (written->exponent >= 0) {
    return NotPlain{"the number has more than 64 bits; a column for text keeps it"};
  }
  if (keeps(real, *written)) return real;
  return NotPlain{"the number has more digits than a double; a column for text keeps them"};
}

/// A column for any number makes one of a text that is one: with each digit, as of a number.
Plain number_or_text(std::string_view text, Prefer prefer) {
  if (prefer != Prefer::any) return text;
  constexpr std::string_view spaces = " \t\n\v\f\r";
  const auto from = text.find_first_not_of(spaces);
  if (from == std::string_view::npos) return text;
  const auto trimmed = text.substr(from, text.find_last_not_of(spaces) + 1 - from);
  return decimal_of(trimmed) ? plain_number(trimmed, prefer) : Plain(text);
}

Plain plain_text(const Value& value, Prefer prefer) {
  switch (value.flaw) {
    case Flaw::nul:
      return NotPlain{"the text holds a NUL character, where it would end for many programs"};
    case Flaw::lone_surrogate:
      return NotPlain{"the text holds half of a surrogate pair"};
    case Flaw::invalid_utf8:
      return NotPlain{"the bytes are no UTF-8; a column for bytes takes them"};
    case Flaw::none:
      break;
  }
  return number_or_text(value.text, prefer);
}

}  // namespace

Plain as_plain(const Value& value, Prefer prefer, std::string& scratch) {
  switch (value.kind) {
    case Kind::absent:
    case Kind::null:
      return {};
    case Kind::boolean:
      if (prefer == Prefer::text) return plain_text(value, prefer);
      return std::int64_t{value.text == "true" ? 1 : 0};
    case Kind::integer:
      return value.integer;
    case Kind::number:
      return plain_number(value.text, prefer);
    case Kind::instant: {
      if (prefer != Prefer::text) return plain_number(value.text, prefer);
      constexpr std::int64_t micros = 1'000;
      Value moment{.kind = Kind::moment};
      moment.integer = value.integer * micros;
      return plain_text(spell(moment, scratch), prefer);
    }
    case Kind::bytes:
    case Kind::uuid:
      if (prefer == Prefer::bytes) return Bytes{value.text};
      break;
    case Kind::nested:
      return value.json.empty() ? value.text : value.json;
    default:
      break;
  }
  if (!is_typed(value.kind)) return plain_text(value, prefer);
  const auto spelled = spell(value, scratch);
  return spelled.kind == Kind::number ? plain_number(spelled.text, prefer)
                                      : plain_text(spelled, prefer);
}

}  // namespace semel::record
