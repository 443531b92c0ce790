#include "record/spell.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "record/calendar.hpp"

namespace semel::record {
namespace {

/// Big endian, two's complement, of any length, to decimal digits with a point before the last
/// `scale` (zeros behind the last one where `scale` is below 0).
void append_decimal(std::string& out, std::string_view unscaled, int scale) {
  std::string magnitude(unscaled);
  const bool negative = !magnitude.empty() && (magnitude[0] & 0x80) != 0;
  if (negative) {
    unsigned carry = 1;
    for (auto byte = magnitude.rbegin(); byte != magnitude.rend(); ++byte) {
      const unsigned sum = (~static_cast<unsigned>(*byte) & 0xFF) + carry;
      *byte = static_cast<char>(sum);
      carry = sum >> 8;
    }
  }
  std::string digits;  // the last one first
  for (std::size_t first = 0; first < magnitude.size();) {
    unsigned rest = 0;
    for (std::size_t i = first; i < magnitude.size(); ++i) {
      const unsigned part = rest << 8 | (static_cast<unsigned>(magnitude[i]) & 0xFF);
      magnitude[i] = static_cast<char>(part / 10);
      rest = part % 10;
    }
    digits += static_cast<char>('0' + rest);
    while (first < magnitude.size() && magnitude[first] == 0) ++first;
  }
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  if (digits.empty()) digits += '0';  // not = "0": GCC 12 warns of its copy (its bug 105329)
  const bool zero = digits == "0";
  if (scale < 0 && !zero) digits.insert(0, static_cast<std::size_t>(-scale), '0');
  const auto behind = static_cast<std::size_t>(scale > 0 ? scale : 0);
  while (digits.size() <= behind) digits += '0';
  if (negative && !zero) out += '-';
  for (std::size_t left = digits.size(); left-- > 0;) {
    out += digits[left];
    if (left == behind && left > 0) out += '.';
  }
}

void append_date(std::string& out, std::int64_t days) {
  const Civil civil = civil_from_days(days);
  const auto to = std::back_inserter(out);
  if (civil.year < 0) {
    fmt::format_to(to, "-{:04}", -civil.year);
  } else {
    fmt::format_to(to, "{}{:04}", civil.year > 9999 ? "+" : "", civil.year);
  }
  fmt::format_to(to, "-{:02}-{:02}", civil.month, civil.day);
}

void append_time(std::string& out, std::int64_t micros) {
  const auto seconds = micros / kMicrosPerSecond;
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
  if (const auto fraction = micros % kMicrosPerSecond; fraction != 0) {
    fmt::format_to(std::back_inserter(out), ".{:06}", fraction);
    while (out.ends_with('0')) out.pop_back();
  }
}

void append_date_and_time(std::string& out, std::int64_t micros) {
  // Not by the product of days and their length: it does not fit for the first day that there is.
  const auto rest = micros % kMicrosPerDay;
  append_date(out, micros / kMicrosPerDay - (rest < 0 ? 1 : 0));
  out += 'T';
  append_time(out, rest < 0 ? rest + kMicrosPerDay : rest);
}

/// The shortest that is read as the same number.
bool append_real(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "NaN";
  } else if (std::isinf(number)) {
    out += number < 0 ? "-Infinity" : "Infinity";
  } else {
    fmt::format_to(std::back_inserter(out), "{}", number);
    return true;
  }
  return false;
}

void append_uuid(std::string& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(bytes[i]));
  }
}

}  // namespace

Value spell(const Value& value, std::string& scratch) {
  scratch.clear();
  bool is_number = false;
  switch (value.kind) {
    case Kind::integer:
      fmt::format_to(std::back_inserter(scratch), "{}", value.integer);
      is_number = true;
      break;
    case Kind::real:
      is_number = append_real(scratch, value.real);
      break;
    case Kind::decimal:
      append_decimal(scratch, value.text, value.scale);
      is_number = true;
      break;
    case Kind::days:
      append_date(scratch, value.integer);
      break;
    case Kind::time:
      append_time(scratch, value.integer);
      break;
    case Kind::local_time:
      append_date_and_time(scratch, value.integer);
      break;
    case Kind::moment:
      append_date_and_time(scratch, value.integer);
      scratch += 'Z';
      break;
    case Kind::uuid:
      append_uuid(scratch, value.text);
      break;
    default:
      return value;
  }
  if (is_number) return {.kind = Kind::number, .text = scratch, .json = scratch};
  return {.kind = Kind::string, .text = scratch};
}

}  // namespace semel::record
