// PostgreSQL's own spelling of values that hold values: what is between their delimiters.
#pragma once

#include <string>
#include <string_view>

#include "postgres/encode/encoder.hpp"

namespace semel::postgres::encode {

inline std::string_view skip_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

/// A field of a composite or a bound of a range: appends it to `out` without quotes and escapes and
/// takes it from `rest`, up to one of `stops` outside of quotes. False where it does not end.
inline bool take_field(std::string_view& rest, std::string_view stops, std::string& out) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < rest.size() && (quoted || stops.find(rest[i]) == std::string_view::npos); ++i) {
    if (rest[i] == '"') {
      if (quoted && i + 1 < rest.size() && rest[i + 1] == '"') {
        out += rest[++i];
      } else {
        quoted = !quoted;
      }
      continue;
    }
    if (rest[i] == '\\' && ++i == rest.size()) return false;
    out += rest[i];
  }
  if (i == rest.size()) return false;
  rest.remove_prefix(i);
  return true;
}

/// `text` in quotes, as composites, ranges and arrays read it. All of them take \ before " and \.
inline void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace semel::postgres::encode
