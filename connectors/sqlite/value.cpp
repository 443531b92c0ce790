// What a column of SQLite stores of a value.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "record/spell.hpp"
#include "sqlite/rows.hpp"

namespace semel::sqlite {

using record::Flaw;
using record::Kind;
using record::Value;

namespace {

/// A number as it was written. TEXT keeps each digit of it; others what SQLite's numbers hold.
std::string bind_number(sqlite3_stmt* statement, int at, Affinity affinity, std::string_view text) {
  if (affinity == Affinity::text) {
    bind_bytes(statement, at, text, true);
    return {};
  }
  std::int64_t integer = 0;
  const auto* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    sqlite3_bind_int64(statement, at, integer);
    return {};
  }
  if (affinity != Affinity::real && text.find_first_of(".eE") == std::string_view::npos) {
    return "the number has more than 64 bits; a column of type TEXT keeps it";
  }
  const double real = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(real)) return "the number is too large";
  sqlite3_bind_double(statement, at, real);
  return {};
}

std::string bind_text(sqlite3_stmt* statement, int at, const Value& value) {
  switch (value.flaw) {
    case Flaw::none:
      bind_bytes(statement, at, value.text, true);
      return {};
    case Flaw::nul:
      return "the text holds a NUL character, behind which SQLite does not look";
    case Flaw::lone_surrogate:
      return "the text holds half of a surrogate pair";
    case Flaw::invalid_utf8:
      return "the bytes are no UTF-8; a column of type BLOB takes them";
  }
  return {};
}

std::string bind_typed(sqlite3_stmt* statement, int at, Affinity affinity, const Value& value) {
  if (value.kind == Kind::integer) {
    sqlite3_bind_int64(statement, at, value.integer);
    return {};
  }
  if (value.kind == Kind::uuid && affinity == Affinity::blob) {
    bind_bytes(statement, at, value.text, false);
    return {};
  }
  std::string scratch;
  const auto spelled = record::spell(value, scratch);
  return spelled.kind == Kind::number ? bind_number(statement, at, affinity, spelled.text)
                                      : bind_text(statement, at, spelled);
}

}  // namespace

std::string bind_value(sqlite3_stmt* statement, int at, const TableColumn& column,
                       const Value& value) {
  const auto affinity = column.affinity;
  if (record::is_typed(value.kind)) return bind_typed(statement, at, affinity, value);
  switch (value.kind) {
    case Kind::absent:
    case Kind::null:
      sqlite3_bind_null(statement, at);
      return {};
    case Kind::boolean:
      if (affinity == Affinity::text) return bind_text(statement, at, value);
      sqlite3_bind_int64(statement, at, value.text == "true" ? 1 : 0);
      return {};
    case Kind::number:
      return bind_number(statement, at, affinity, value.text);
    case Kind::instant: {
      if (affinity != Affinity::text) return bind_number(statement, at, affinity, value.text);
      constexpr std::int64_t micros = 1'000;
      Value moment{.kind = Kind::moment};
      moment.integer = value.integer * micros;
      return bind_typed(statement, at, affinity, moment);
    }
    case Kind::bytes:
      if (affinity != Affinity::blob) return bind_text(statement, at, value);
      bind_bytes(statement, at, value.text, false);
      return {};
    case Kind::nested:
      bind_bytes(statement, at, value.json.empty() ? value.text : value.json, true);
      return {};
    default:
      return bind_text(statement, at, value);
  }
}

}  // namespace semel::sqlite
