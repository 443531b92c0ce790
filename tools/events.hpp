// The demo's events: the same id always makes the same event, so that a run can be checked by sums.
#pragma once

#include <cstdint>
#include <string>

namespace semel::demo {

/// What the database must hold when events [0, count) are stored once.
struct Totals {
  std::int64_t count = 0;
  std::int64_t sum_id = 0;
  std::int64_t sum_user_id = 0;
  std::int64_t sum_amount_cents = 0;
  std::int64_t bytes = 0;  ///< of all the JSON texts; the database does not hold it
};

/// splitmix64: a well mixed number for each id.
std::uint64_t mixed(std::int64_t id);

/// Appends event `id` as one JSON object of about 165 bytes (id, user_id, kind, amount, ts, note,
/// ok) to `out`, and adds it to `totals`.
void append_event(std::int64_t id, std::string& out, Totals& totals);
/// The same, without totals.
void append_event(std::int64_t id, std::string& out);

}  // namespace semel::demo
