#include "store/moment.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace semel::store {

using namespace std::chrono;

std::string moment_text(std::int64_t ms) {
  const sys_time<milliseconds> moment{milliseconds(ms)};
  const auto day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(moment - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", int(date.year()),
                     unsigned(date.month()), unsigned(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

std::optional<std::int64_t> moment_of(std::string_view text) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  const int read = std::sscanf(std::string(text).c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &y, &mo,
                               &d, &h, &mi, &s, &ms);
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)),
                            day(static_cast<unsigned>(d))};
  constexpr int without_fraction = 6;
  if (read < without_fraction || !date.ok()) return std::nullopt;
  const auto moment = sys_days(date) + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms);
  return duration_cast<milliseconds>(moment.time_since_epoch()).count();
}

}  // namespace semel::store
