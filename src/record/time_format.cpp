#include "record/time_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "record/calendar.hpp"

namespace semel::record {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::size_t kShortName = 3;

constexpr std::string_view kDirectives = "YmdHIMSfpbBaAz%";
constexpr std::string_view kNumbers = "YmdHIMS";

char small(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool is_decimal_digit(char c) {
  return c >= '0' && c <= '9';
}

/// What a format has in short, written out.
std::string written_out(std::string_view format) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char next = format[i] == '%' && i + 1 < format.size() ? format[i + 1] : '\0';
    if (next == '\0') {
      out += format[i];
      continue;
    }
    ++i;
    if (next == 'F') {
      out += "%Y-%m-%d";
    } else if (next == 'T') {
      out += "%H:%M:%S";
    } else if (next == 'R') {
      out += "%H:%M";
    } else {
      out += {'%', next};
    }
  }
  return out;
}

/// What was read so far.
struct Fields {
  std::int64_t year = 1970;
  std::int64_t month = 1;
  std::int64_t day = 1;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t micros = 0;
  std::int64_t zone_seconds = 0;
  int weekday = -1;
  int half = -1;  ///< of the day: 0 AM, 1 PM
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool number(std::size_t least, std::size_t most, std::int64_t& out) {
    std::size_t count = 0;
    out = 0;
    while (count < most && count < rest_.size() && is_decimal_digit(rest_[count])) {
      out = out * 10 + (rest_[count++] - '0');
    }
    rest_.remove_prefix(count);
    return count >= least;
  }

  /// Which of the names stands here, by its first letters or all of them.
  template <std::size_t Count>
  int name(const std::array<std::string_view, Count>& names, bool in_short) {
    for (std::size_t i = 0; i < Count; ++i) {
      const auto wanted = in_short ? names[i].substr(0, kShortName) : names[i];
      const auto same = [](char a, char b) { return small(a) == small(b); };
      if (!std::ranges::equal(wanted, rest_.substr(0, wanted.size()), same)) continue;
      rest_.remove_prefix(wanted.size());
      return static_cast<int>(i);
    }
    return -1;
  }

  /// Rounds halves to even: a whole second comes out where all digits are nines.
  bool fraction(std::int64_t& micros) {
    constexpr std::size_t digits_max = 9;
    std::size_t count = 0;
    std::int64_t nanos = 0;
    for (; count < digits_max && count < rest_.size() && is_decimal_digit(rest_[count]); ++count) {
      nanos = nanos * 10 + (rest_[count] - '0');
    }
    if (count == 0) return false;
    rest_.remove_prefix(count);
    for (; count < digits_max; ++count) nanos *= 10;
    constexpr std::int64_t per_micro = 1'000;
    micros = nanos / per_micro;
    const auto left = nanos % per_micro;
    if (left > per_micro / 2 || (left == per_micro / 2 && micros % 2 == 1)) ++micros;
    return true;
  }

  bool zone(std::int64_t& seconds) {
    if (take('Z') || take('z')) return true;
    const bool west = rest_.starts_with('-');
    if (!take('+') && !take('-')) return false;
    std::int64_t hours = 0;
    std::int64_t minutes = 0;
    if (!number(2, 2, hours)) return false;
    const bool colon = take(':');
    const bool more = !rest_.empty() && is_decimal_digit(rest_.front());
    if ((colon || more) && !number(2, 2, minutes)) return false;
    // PostgreSQL's bound as well.
    if (hours > 15 || minutes > 59) return false;
    seconds = (hours * 60 + minutes) * 60;
    if (west) seconds = -seconds;
    return true;
  }

 private:
  std::string_view rest_;
};

bool read_directive(char directive, bool two_digits, Scanner& text, Fields& fields) {
  const std::size_t least = two_digits ? 2 : 1;
  switch (directive) {
    case 'Y':
      return text.number(4, 4, fields.year) && fields.year > 0;
    case 'm':
      return text.number(least, 2, fields.month) && fields.month >= 1 && fields.month <= 12;
    case 'd':
      return text.number(least, 2, fields.day) && fields.day >= 1;
    case 'H':
      return text.number(least, 2, fields.hour) && fields.hour <= 23;
    case 'I':
      return text.number(least, 2, fields.hour) && fields.hour >= 1 && fields.hour <= 12;
    case 'M':
      return text.number(least, 2, fields.minute) && fields.minute <= 59;
    case 'S':
      return text.number(least, 2, fields.second) && fields.second <= 59;
    case 'f':
      return text.fraction(fields.micros);
    case 'z':
      return text.zone(fields.zone_seconds);
    case 'p':
      fields.half = text.name(std::array<std::string_view, 2>{"AM", "PM"}, false);
      return fields.half >= 0;
    case 'b':
    case 'B':
      fields.month = text.name(kMonths, directive == 'b') + 1;
      return fields.month > 0;
    default:
      fields.weekday = text.name(kWeekdays, directive == 'a');
      return fields.weekday >= 0;
  }
}

tl::unexpected<Error> wrong_format(std::string_view format, std::string_view why) {
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("format = \"{}\": {}", format, why));
}

}  // namespace

bool TimeFormat::has(char directive) const {
  return std::ranges::find(steps_, directive, &Step::directive) != steps_.end();
}

Result<TimeFormat> TimeFormat::parse(std::string_view format) {
  TimeFormat made;
  const auto all = written_out(format);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != '%') {
      made.steps_.push_back({.literal = all[i]});
      continue;
    }
    const char directive = ++i < all.size() ? all[i] : '\0';
    if (directive == '\0' || kDirectives.find(directive) == std::string_view::npos) {
      return wrong_format(
          format,
          fmt::format("%{} is none of %Y %m %d %b %B %a %A %H %I %M %S %f %p %z %F %T %R %%",
                      directive == '\0' ? std::string() : std::string(1, directive)));
    }
    if (directive == '%') {
      made.steps_.push_back({.literal = '%'});
      continue;
    }
    if (made.has(directive))
      return wrong_format(format, fmt::format("%{} stands twice", directive));
    const bool at_once = i + 2 < all.size() && all[i + 1] == '%' &&
                         (kNumbers.find(all[i + 2]) != std::string_view::npos || all[i + 2] == 'f');
    made.steps_.push_back({.directive = directive, .two_digits = at_once});
  }
  if (auto complete = made.complete(format); !complete) return tl::unexpected(complete.error());
  return made;
}

/// Nothing of a value is guessed.
Result<void> TimeFormat::complete(std::string_view format) const {
  const auto months = (has('m') ? 1 : 0) + (has('b') ? 1 : 0) + (has('B') ? 1 : 0);
  const bool date = has('Y') && months == 1 && has('d');
  const bool some_date = has('Y') || months != 0 || has('d') || has('a') || has('A');
  if (some_date && !date) {
    return wrong_format(format, "a date has %Y, %d, and one of %m, %b and %B");
  }
  if (has('H') && has('I')) return wrong_format(format, "the hour is %H, or %I with %p");
  if (has('I') != has('p')) return wrong_format(format, "%I and %p go together");
  if (has('M') && !has_time()) return wrong_format(format, "%M needs an hour, %H");
  if (has('S') && !has('M')) return wrong_format(format, "%S needs a minute, %M");
  if (has('f') && !has('S')) return wrong_format(format, "%f needs a second, %S");
  if (has('z') && !(date && has_time())) {
    return wrong_format(format, "%z needs a date and an hour");
  }
  if (!date && !has_time()) return wrong_format(format, "it has neither a date nor an hour");
  return {};
}

std::optional<Value> TimeFormat::read(std::string_view text) const {
  Scanner scanner(text);
  Fields fields;
  for (const Step& step : steps_) {
    const bool matches = step.directive == 0
                             ? scanner.take(step.literal)
                             : read_directive(step.directive, step.two_digits, scanner, fields);
    if (!matches) return std::nullopt;
  }
  if (!scanner.at_end()) return std::nullopt;
  const auto days =
      days_from_civil(fields.year, static_cast<int>(fields.month), static_cast<int>(fields.day));
  // The 31st of a month that has none is another month's day.
  if (civil_from_days(days).day != fields.day) return std::nullopt;
  constexpr int week = 7;
  constexpr int thursday = 4;  // 1970-01-01
  const auto weekday = ((days + thursday) % week + week) % week;
  if (fields.weekday >= 0 && fields.weekday != weekday) return std::nullopt;
  if (fields.half >= 0) fields.hour = fields.hour % 12 + 12 * fields.half;
  const auto seconds =
      (fields.hour * 60 + fields.minute) * 60 + fields.second - fields.zone_seconds;
  const auto of_day = seconds * kMicrosPerSecond + fields.micros;
  Value value;
  if (!has_time()) {
    value.kind = Kind::days;
    value.integer = days;
  } else if (!has_date()) {
    value.kind = Kind::time;
    value.integer = of_day;
  } else {
    value.kind = has_zone() ? Kind::moment : Kind::local_time;
    value.integer = days * kMicrosPerDay + of_day;
  }
  return value;
}

}  // namespace semel::record
