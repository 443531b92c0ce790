// One value on its way from a record into a column, whatever it came from.
#pragma once

#include <cstdint>
#include <string_view>

namespace semel::record {

enum class Kind : std::uint8_t {
  absent,  ///< the record has no such member: the column's default
  null,    ///< JSON null, or a part of the record that it does not have

  // Spelled: `text` is what was written, so that nothing of it is lost on the way.
  boolean,  ///< true, false
  number,   ///< a JSON number as it was written, or an offset or partition
  instant,  ///< the record's timestamp: `integer` in milliseconds, and the same number as text
  string,   ///< a JSON string
  literal,  ///< text for the type's own input: an element of an array in PostgreSQL's spelling
  nested,   ///< a JSON object or array
  bytes,    ///< key, value or header as it is: any bytes

  // Typed, by formats that have types: no text. Who has no case for one of them takes it as spell()
  // (spell.hpp) writes it.
  integer,     ///< `integer`
  real,        ///< `real`
  decimal,     ///< `text` × 10^-`scale`: an integer in two's complement, big endian, of any length
  days,        ///< `integer`, since 1970-01-01
  time,        ///< of day: `integer`, microseconds since midnight
  moment,      ///< `integer`, microseconds since 1970-01-01 00:00 UTC
  local_time,  ///< date and time without a zone: the same, as if it were UTC
  uuid,        ///< `text`: 16 bytes
};

constexpr bool is_typed(Kind kind) {
  return kind >= Kind::integer;
}

/// What keeps text from being stored as text. A json column does not mind the first two.
enum class Flaw : std::uint8_t { none, nul, lone_surrogate, invalid_utf8 };

/// Borrows everything: valid until the next record is read.
struct Value {
  Kind kind = Kind::absent;
  Flaw flaw = Flaw::none;
  std::int16_t scale = 0;
  union {
    std::int64_t integer = 0;
    double real;
  };
  std::string_view text;  ///< of what is spelled: what a type's text input reads, strings unescaped
  std::string_view json;  ///< the same as valid JSON; empty where it has to be made from `text`
};

}  // namespace semel::record
