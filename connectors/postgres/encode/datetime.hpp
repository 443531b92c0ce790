// ISO 8601 dates and times, and PostgreSQL's own output, as PostgreSQL counts them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "postgres/encode/refusal.hpp"
#include "record/calendar.hpp"

namespace semel::postgres::encode {

using record::kMicrosPerDay;
using record::kMicrosPerSecond;
/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
inline constexpr std::int64_t kPostgresEpochDays = 10'957;

enum class Special : std::uint8_t { none, infinity, minus_infinity };

/// What was written. The time of day may be 24:00:00; the offset is not applied.
struct DateTime {
  Special special = Special::none;
  bool has_date = false;
  bool has_time = false;
  bool has_offset = false;
  std::int64_t days = 0;            ///< since 2000-01-01, proleptic Gregorian
  std::int64_t micros = 0;          ///< since midnight
  std::int64_t offset_seconds = 0;  ///< east of UTC
};

/// YYYY-MM-DD, HH:MM[:SS[.fraction]] or both, joined by 'T' or spaces; then, after a time, Z or
/// ±hh[[:]mm[[:]ss]]; then BC. Years of four to seven digits. "infinity", "-infinity", "epoch".
/// Fractions are rounded to microseconds as PostgreSQL does.
/// 22007: not of this form; 22008: no such day or time; 22009: no such offset.
Refusal parse_datetime(std::string_view text, DateTime& result);

/// 2024-01-31, 0044-03-15 BC. `days` since 2000-01-01.
void append_date(std::string& out, std::int64_t days);
/// The same with the time and `suffix` ("+00") before BC. `micros` since 2000-01-01.
void append_timestamp(std::string& out, std::int64_t micros, std::string_view suffix);
/// 10:20:30.123456
void append_time(std::string& out, std::int64_t micros);

}  // namespace semel::postgres::encode
