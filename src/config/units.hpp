// Durations, sizes and moments as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace semel::config {

/// "250ms", "5s", "10m", "2h", "7d" → milliseconds. Nothing for anything else, or beyond 64 bits.
std::optional<std::int64_t> parse_duration(std::string_view text);
/// The shortest of the same forms: 60'000 → "1m", 90'000 → "90s".
std::string format_duration(std::int64_t ms);

/// "64MiB", "1GiB", "512KiB", "10MB", "100B", "100" → bytes.
std::optional<std::int64_t> parse_size(std::string_view text);
std::string format_size(std::int64_t bytes);

/// "2026-01-31T00:00:00Z", with a fraction of a second and "+01:00" as well → milliseconds since
/// the Unix epoch. A zone must be there: local time would mean something else on another machine.
std::optional<std::int64_t> parse_moment(std::string_view text);
std::string format_moment(std::int64_t ms);

}  // namespace semel::config
