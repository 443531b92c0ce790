// One value on its way from a record into a column, whatever it came from.
#pragma once

#include <cstdint>
#include <string_view>

namespace semel::record {

enum class Kind : std::uint8_t {
  absent,   ///< the record has no such member: the column's default
  null,     ///< JSON null, or a part of the record that it does not have
  boolean,  ///< true, false
  number,   ///< a JSON number as it was written, or an offset or partition
  instant,  ///< the record's timestamp: `instant_ms`, and the same number as text
  string,   ///< a JSON string
  literal,  ///< text for the type's own input: an element of an array in PostgreSQL's spelling
  nested,   ///< a JSON object or array
  bytes,    ///< key, value or header as it is: any bytes
};

/// What keeps text from being stored as text. A json column does not mind the first two.
enum class Flaw : std::uint8_t { none, nul, lone_surrogate, invalid_utf8 };

/// Borrows everything: valid until the next record is read.
struct Value {
  Kind kind = Kind::absent;
  Flaw flaw = Flaw::none;
  std::int64_t instant_ms = 0;
  std::string_view text;  ///< what PostgreSQL's text input is to read: strings unescaped
  std::string_view json;  ///< the same as valid JSON; empty where it has to be made from `text`
};

}  // namespace semel::record
