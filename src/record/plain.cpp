#include "record/plain.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "record/spell.hpp"

namespace semel::record {

namespace {

/// A number as it was written.
Plain plain_number(std::string_view text, Prefer prefer) {
  if (prefer == Prefer::text) return text;
  std::int64_t integer = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, integer);
  if (read.ec == std::errc() && read.ptr == end) return integer;
  if (prefer != Prefer::real && text.find_first_of(".eE") == std::string_view::npos) {
    return NotPlain{"the number has more than 64 bits; a column for text keeps it"};
  }
  const double real = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(real)) return NotPlain{"the number is too large"};
  return real;
}

Plain plain_text(const Value& value) {
  switch (value.flaw) {
    case Flaw::nul:
      return NotPlain{"the text holds a NUL character, where it would end for many programs"};
    case Flaw::lone_surrogate:
      return NotPlain{"the text holds half of a surrogate pair"};
    case Flaw::invalid_utf8:
      return NotPlain{"the bytes are no UTF-8; a column for bytes takes them"};
    case Flaw::none:
      break;
  }
  return value.text;
}

}  // namespace

Plain as_plain(const Value& value, Prefer prefer, std::string& scratch) {
  switch (value.kind) {
    case Kind::absent:
    case Kind::null:
      return {};
    case Kind::boolean:
      if (prefer == Prefer::text) return plain_text(value);
      return std::int64_t{value.text == "true" ? 1 : 0};
    case Kind::integer:
      return value.integer;
    case Kind::number:
      return plain_number(value.text, prefer);
    case Kind::instant: {
      if (prefer != Prefer::text) return plain_number(value.text, prefer);
      constexpr std::int64_t micros = 1'000;
      Value moment{.kind = Kind::moment};
      moment.integer = value.integer * micros;
      return plain_text(spell(moment, scratch));
    }
    case Kind::bytes:
    case Kind::uuid:
      if (prefer == Prefer::bytes) return Bytes{value.text};
      break;
    case Kind::nested:
      return value.json.empty() ? value.text : value.json;
    default:
      break;
  }
  if (!is_typed(value.kind)) return plain_text(value);
  const auto spelled = spell(value, scratch);
  return spelled.kind == Kind::number ? plain_number(spelled.text, prefer) : plain_text(spelled);
}

}  // namespace semel::record
