// Typed values as text, for whoever has no case of its own for their kind. Pure.
#pragma once

#include <string>

#include "record/value.hpp"

namespace semel::record {

/// `value`, which is typed (is_typed()), as a value of JSON's kinds: a number as JSON spells it, or
/// a string. ISO 8601 for times: 2024-01-31, 10:20:30.5, 2024-01-31T10:20:30.5Z (a year before 0 or
/// after 9999 has its sign: -0043-03-15); NaN and infinities are strings, "NaN", "-Infinity". It
/// borrows from `scratch`, which is overwritten: no allocation once that has grown.
Value spell(const Value& value, std::string& scratch);

}  // namespace semel::record
