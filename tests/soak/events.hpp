// The records of a soak, and what the table must hold for each: computed by PostgreSQL from the id,
// under a session's default settings, not by the program under test.
#pragma once

#include <cstdint>
#include <string>

namespace semel::test {

/// Values of kinds that an input function of the server reads by its settings are among them.
std::string soak_event(std::int64_t id);

/// A record that no row can be made of, in one of `poison_kinds` ways: refused by the encoder, by a
/// CHECK, by a trigger that chooses the code of a table that is missing.
std::string soak_poison(int kind);
constexpr int poison_kinds = 3;

/// The table, its check and its trigger.
std::string soak_table_sql();

/// A query for the ids below `produced` that are not in the table exactly once with exactly their
/// values, and for rows that nobody produced: as JSON, the first few, and NULL where there are
/// none.
std::string soak_differences_sql(std::int64_t produced);

}  // namespace semel::test
