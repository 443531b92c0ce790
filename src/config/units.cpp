#include "config/units.hpp"

#include <fmt/format.h>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

namespace semel::config {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first: the first that divides a value shows it shortest.
constexpr std::array durations{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                               Unit{"s", 1'000}, Unit{"ms", 1}};
constexpr std::array sizes{Unit{"GiB", 1ll << 30},
                           Unit{"MiB", 1ll << 20},
                           Unit{"KiB", 1ll << 10},
                           Unit{"GB", 1'000'000'000},
                           Unit{"MB", 1'000'000},
                           Unit{"KB", 1'000},
                           Unit{"B", 1}};

std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return text.front() == '-' ? std::nullopt : std::optional(value);
}

template <std::size_t N>
std::optional<std::int64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
  for (const auto& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    // "5ms" ends with "s" too, but what is before it is no number then.
    const auto count = digits(text.substr(0, text.size() - unit.name.size()));
    if (!count) continue;
    if (*count > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return *count * unit.factor;
  }
  return std::nullopt;
}

/// Takes exactly `count` digits off the front.
std::optional<int> take(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  const auto value = digits(text.substr(0, count));
  text.remove_prefix(count);
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  return with_unit(text, durations);
}

std::string format_duration(std::int64_t ms) {
  if (ms == 0) return "0s";
  for (const auto& unit : durations) {
    if (ms % unit.factor == 0) return fmt::format("{}{}", ms / unit.factor, unit.name);
  }
  return fmt::format("{}ms", ms);
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  if (const auto bytes = digits(text)) return bytes;
  return with_unit(text, sizes);
}

std::string format_size(std::int64_t bytes) {
  for (const auto& unit : {sizes[0], sizes[1], sizes[2]}) {
    if (bytes != 0 && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
  }
  return fmt::format("{}B", bytes);
}

std::optional<std::int64_t> parse_moment(std::string_view text) {
  using namespace std::chrono;
  const auto y = take(text, 4);
  if (!y || !take(text, "-")) return std::nullopt;
  const auto mon = take(text, 2);
  if (!mon || !take(text, "-")) return std::nullopt;
  const auto d = take(text, 2);
  if (!d || !take(text, "Tt ")) return std::nullopt;
  const auto h = take(text, 2);
  if (!h || !take(text, ":")) return std::nullopt;
  const auto min = take(text, 2);
  if (!min) return std::nullopt;
  int s = 0;
  std::int64_t fraction_ms = 0;
  if (take(text, ":")) {
    const auto seconds_given = take(text, 2);
    if (!seconds_given) return std::nullopt;
    s = *seconds_given;
    if (take(text, ".")) {
      std::int64_t weight = 100;
      bool any = false;
      for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
        fraction_ms += (text.front() - '0') * weight;
        weight /= 10;
        any = true;
      }
      if (!any) return std::nullopt;
    }
  }
  minutes zone{0};
  if (!take(text, "Zz")) {
    const bool west = text.starts_with('-');
    if (!take(text, "+-")) return std::nullopt;
    const auto zone_hours = take(text, 2);
    if (!zone_hours || *zone_hours > 23 || !take(text, ":")) return std::nullopt;
    const auto zone_rest = take(text, 2);
    if (!zone_rest || *zone_rest > 59) return std::nullopt;
    const auto ahead = hours(*zone_hours) + minutes(*zone_rest);
    zone = west ? -ahead : ahead;
  }
  const year_month_day date{year(*y), month(static_cast<unsigned>(*mon)),
                            day(static_cast<unsigned>(*d))};
  if (!text.empty() || !date.ok() || *h > 23 || *min > 59 || s > 59) return std::nullopt;
  const auto at =
      sys_days(date) + hours(*h) + minutes(*min) - zone + seconds(s) + milliseconds(fraction_ms);
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

std::string format_moment(std::int64_t ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(ms)};
  const auto midnight = floor<days>(at);
  const year_month_day date(midnight);
  const hh_mm_ss time(at - midnight);
  auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                          time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) text += fmt::format(".{:03}", time.subseconds().count());
  return text + "Z";
}

}  // namespace semel::config
