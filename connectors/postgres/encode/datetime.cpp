#include "postgres/encode/datetime.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "postgres/encode/encoder.hpp"
#include "record/calendar.hpp"

namespace semel::postgres::encode {
namespace {

constexpr Refusal kNotADate{"22007", "is not a date or time in ISO 8601"};
constexpr Refusal kNoSuchTime{"22008", "is a date or time that does not exist"};
constexpr Refusal kNoSuchOffset{"22009", "has an offset from UTC that does not exist"};

using record::Civil;
using record::civil_from_days;
using record::days_from_civil;

int days_in_month(std::int64_t year, int month) {
  static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool empty() const { return rest_.empty(); }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::size_t digits_ahead() const { return count_digits(rest_); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_ignoring_case(std::string_view upper) {
    if (rest_.size() < upper.size()) return false;
    for (std::size_t i = 0; i < upper.size(); ++i) {
      const char c = rest_[i];
      if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != upper[i]) return false;
    }
    rest_.remove_prefix(upper.size());
    return true;
  }
  std::size_t take_spaces() {
    std::size_t count = 0;
    while (take(' ')) ++count;
    return count;
  }
  /// Between `min` and `max` digits, and no further ones.
  bool take_number(std::size_t min, std::size_t max, std::int64_t& number) {
    const std::size_t count = digits_ahead();
    if (count < min || count > max) return false;
    return take_exactly(count, number);
  }
  /// `count` digits, which are known to be there.
  bool take_exactly(std::size_t count, std::int64_t& number) {
    number = 0;
    for (std::size_t i = 0; i < count; ++i) number = number * 10 + (rest_[i] - '0');
    rest_.remove_prefix(count);
    return true;
  }
  /// Digits after a decimal point as microseconds, through a double, as PostgreSQL does: so that
  /// halves round the same way.
  bool take_fraction(std::int64_t& micros) {
    const std::size_t count = digits_ahead();
    if (count == 0) return false;
    if (count <= 6) {
      take_exactly(count, micros);
      for (std::size_t i = count; i < 6; ++i) micros *= 10;
      return true;
    }
    // The point is the character before; from_chars takes ".123" as a number.
    const char* const begin = rest_.data() - 1;
    double fraction = 0;
    std::from_chars(begin, begin + 1 + count, fraction);
    micros = static_cast<std::int64_t>(std::rint(fraction * 1e6));
    rest_.remove_prefix(count);
    return true;
  }

 private:
  std::string_view rest_;
};

struct Date {
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
};

bool take_date(Scanner& scanner, Date& date) {
  return scanner.take_number(4, 7, date.year) && scanner.take('-') &&
         scanner.take_number(1, 2, date.month) && scanner.take('-') &&
         scanner.take_number(1, 2, date.day);
}

Refusal take_time(Scanner& scanner, DateTime& result) {
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t micros = 0;
  if (!scanner.take_number(1, 2, hour) || !scanner.take(':') ||
      !scanner.take_number(1, 2, minute)) {
    return kNotADate;
  }
  if (scanner.take(':')) {
    if (!scanner.take_number(1, 2, second)) return kNotADate;
    if (scanner.take('.') && !scanner.take_fraction(micros)) return kNotADate;
  }
  if (minute > 59 || second > 60) return kNoSuchTime;
  result.has_time = true;
  result.micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + micros;
  return result.micros > kMicrosPerDay ? kNoSuchTime : Refusal{};
}

Refusal take_offset(Scanner& scanner, DateTime& result) {
  if (scanner.take('Z') || scanner.take('z') || scanner.take_ignoring_case("UTC") ||
      scanner.take_ignoring_case("GMT")) {
    result.has_offset = true;
    return {};
  }
  const bool west = scanner.take('-');
  if (!west && !scanner.take('+')) return {};
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  std::int64_t seconds = 0;
  const std::size_t run = scanner.digits_ahead();
  if (run == 4 || run == 6) {
    scanner.take_exactly(2, hours);
    scanner.take_exactly(2, minutes);
    if (run == 6) scanner.take_exactly(2, seconds);
  } else {
    if (!scanner.take_number(1, 2, hours)) return kNotADate;
    if (scanner.take(':') && !scanner.take_number(1, 2, minutes)) return kNotADate;
    if (scanner.take(':') && !scanner.take_number(1, 2, seconds)) return kNotADate;
  }
  if (hours > 15 || minutes > 59 || seconds > 59) return kNoSuchOffset;
  result.has_offset = true;
  result.offset_seconds = (hours * 60 + minutes) * 60 + seconds;
  if (west) result.offset_seconds = -result.offset_seconds;
  return {};
}

/// The number that `count` digits at `text` make; negative where one of them is none.
std::int64_t fixed_digits(const char* text, int count) {
  std::int64_t number = 0;
  for (int i = 0; i < count; ++i) {
    const auto digit = static_cast<unsigned char>(text[i] - '0');
    if (digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/// 2026-01-31T12:34:56[.123456]Z, which is what most producers write, without looking at anything
/// twice. False: something else, or a moment that does not exist; parse_datetime() says which.
bool parse_usual(std::string_view text, DateTime& result) {
  constexpr std::size_t shortest = sizeof "2026-01-31T12:34:56Z" - 1;
  constexpr std::size_t longest = shortest + sizeof ".123456" - 1;
  if (text.size() < shortest || text.size() > longest || text.back() != 'Z') return false;
  const char* const t = text.data();
  if (t[4] != '-' || t[7] != '-' || (t[10] != 'T' && t[10] != ' ') || t[13] != ':' ||
      t[16] != ':') {
    return false;
  }
  const std::int64_t year = fixed_digits(t, 4);
  const auto month = static_cast<int>(fixed_digits(t + 5, 2));
  const auto day = static_cast<int>(fixed_digits(t + 8, 2));
  const std::int64_t hour = fixed_digits(t + 11, 2);
  const std::int64_t minute = fixed_digits(t + 14, 2);
  const std::int64_t second = fixed_digits(t + 17, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
    return false;
  }
  std::int64_t micros = 0;
  if (text.size() != shortest) {
    const auto digits = static_cast<int>(text.size() - shortest) - 1;
    if (t[19] != '.' || digits == 0) return false;
    micros = fixed_digits(t + 20, digits);
    if (micros < 0) return false;
    for (int i = digits; i < 6; ++i) micros *= 10;
  }
  result.has_date = result.has_time = result.has_offset = true;
  result.days = days_from_civil(year, month, day) - kPostgresEpochDays;
  result.micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + micros;
  return true;
}

bool parse_special(Scanner scanner, DateTime& result) {
  const auto whole_word = [&](std::string_view word) {
    return scanner.take_ignoring_case(word) && scanner.empty();
  };
  switch (scanner.front()) {
    case 'i':
    case 'I':
      result.special = Special::infinity;
      return whole_word("INFINITY");
    case '-':
      result.special = Special::minus_infinity;
      return whole_word("-INFINITY");
    case 'e':
    case 'E':
      result.days = -kPostgresEpochDays;
      result.has_date = true;
      return whole_word("EPOCH");
    default:
      return false;
  }
}

void append_padded(std::string& out, std::int64_t number, int width) {
  char digits[20];
  char* const end = digits + sizeof digits;
  char* begin = end;
  do {
    *--begin = static_cast<char>('0' + number % 10);
    number /= 10;
    --width;
  } while (number != 0 || width > 0);
  out.append(begin, static_cast<std::size_t>(end - begin));
}

/// The date without its era; whether that is BC.
bool append_civil(std::string& out, std::int64_t days) {
  const Civil civil = civil_from_days(days + kPostgresEpochDays);
  const bool before_christ = civil.year <= 0;
  append_padded(out, before_christ ? 1 - civil.year : civil.year, 4);
  out += '-';
  append_padded(out, civil.month, 2);
  out += '-';
  append_padded(out, civil.day, 2);
  return before_christ;
}

}  // namespace

Refusal parse_datetime(std::string_view text, DateTime& result) {
  if (parse_usual(text, result)) return {};
  Scanner scanner(trim(text));
  if (scanner.empty()) return kNotADate;
  if (scanner.front() < '0' || scanner.front() > '9') {
    return parse_special(scanner, result) ? Refusal{} : kNotADate;
  }

  Date date;
  if (scanner.digits_ahead() >= 4) {
    if (!take_date(scanner, date)) return kNotADate;
    result.has_date = true;
    if (scanner.take('T') || scanner.take('t')) {
      if (const Refusal refusal = take_time(scanner, result)) return refusal;
    } else if (scanner.take_spaces() != 0 && scanner.digits_ahead() != 0) {
      if (const Refusal refusal = take_time(scanner, result)) return refusal;
    }
  } else if (const Refusal refusal = take_time(scanner, result)) {
    return refusal;
  }
  if (result.has_time) {
    scanner.take_spaces();
    if (const Refusal refusal = take_offset(scanner, result)) return refusal;
  }
  scanner.take_spaces();
  const bool before_christ = result.has_date && scanner.take_ignoring_case("BC");
  if (!scanner.empty()) return kNotADate;
  if (!result.has_date) return {};

  if (date.year == 0 || date.month < 1 || date.month > 12 || date.day < 1) return kNoSuchTime;
  if (before_christ) date.year = 1 - date.year;
  const auto month = static_cast<int>(date.month);
  if (date.day > days_in_month(date.year, month)) return kNoSuchTime;
  result.days = days_from_civil(date.year, month, static_cast<int>(date.day)) - kPostgresEpochDays;
  return {};
}

void append_date(std::string& out, std::int64_t days) {
  if (append_civil(out, days)) out += " BC";
}

void append_time(std::string& out, std::int64_t micros) {
  const std::int64_t seconds = micros / kMicrosPerSecond;
  append_padded(out, seconds / 3600, 2);
  out += ':';
  append_padded(out, seconds / 60 % 60, 2);
  out += ':';
  append_padded(out, seconds % 60, 2);
  if (micros % kMicrosPerSecond != 0) {
    out += '.';
    append_padded(out, micros % kMicrosPerSecond, 6);
  }
}

void append_timestamp(std::string& out, std::int64_t micros, std::string_view suffix) {
  std::int64_t days = micros / kMicrosPerDay;
  std::int64_t time = micros % kMicrosPerDay;
  if (time < 0) {
    time += kMicrosPerDay;
    --days;
  }
  const bool before_christ = append_civil(out, days);
  out += ' ';
  append_time(out, time);
  out.append(suffix);
  if (before_christ) out += " BC";
}

}  // namespace semel::postgres::encode
