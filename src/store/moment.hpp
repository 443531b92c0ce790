// Moments as the ledger's tables have them: "2026-01-31T10:20:30.500Z", UTC, to the millisecond.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace semel::store {

/// Later moments are greater texts. `ms` since 1970; years 0 to 9999.
std::string moment_text(std::int64_t ms);
/// Absent where it is no such text; without fraction as well.
std::optional<std::int64_t> moment_of(std::string_view text);

}  // namespace semel::store
