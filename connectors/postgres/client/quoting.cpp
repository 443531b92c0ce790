#include "postgres/client/quoting.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <utility>

namespace semel::postgres {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// Length of the valid UTF-8 sequence at the beginning of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (lead == 0xED && byte(1) >= 0xA0) return 0;  // surrogate
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;   // overlong
    if (lead == 0xF4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
    return 4;
  }
  return 0;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

std::string quote_literal(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string quoted = escaped ? "E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted += '\'';
}

std::string QualifiedName::quoted() const {
  return schema.empty() ? quote_identifier(name)
                        : quote_identifier(schema) + "." + quote_identifier(name);
}

namespace {

/// A part of a name, and what follows it.
struct NamePart {
  std::string name;
  std::string_view rest;
  bool closed = true;  ///< the quote that opened it was closed
};

NamePart first_part(std::string_view written) {
  if (!written.starts_with('"')) {
    const auto dot = std::min(written.find('.'), written.size());
    return {std::string(written.substr(0, dot)), written.substr(dot)};
  }
  NamePart part{.closed = false};
  std::size_t i = 1;
  for (; i < written.size(); ++i) {
    if (written[i] == '"') {
      ++i;
      if (i == written.size() || written[i] != '"') {
        part.closed = true;
        break;
      }
    }
    part.name += written[i];
  }
  part.rest = written.substr(i);
  return part;
}

}  // namespace

QualifiedName split_name(std::string_view written) {
  auto first = first_part(written);
  if (!first.rest.starts_with('.')) return {"", std::move(first.name)};
  const auto rest = first.rest.substr(1);
  // Without quotes the name may hold further dots, and quotes behind its first character.
  return {std::move(first.name), rest.starts_with('"') ? first_part(rest).name : std::string(rest)};
}

std::string name_mistake(std::string_view written) {
  auto part = first_part(written);
  bool sound = part.closed && !part.name.empty();
  if (sound && part.rest.starts_with('.')) {
    const auto rest = part.rest.substr(1);
    if (rest.starts_with('"')) {
      part = first_part(rest);
      sound = part.closed && !part.name.empty();
    } else {
      part = {std::string(rest), ""};
      sound = !rest.empty();
    }
  }
  if (sound && part.rest.empty()) return "";
  return "must be table or schema.table; a part that holds a dot goes in double quotes, and a "
         "quote "
         "in it is written twice";
}

std::string sanitise(std::string_view text, std::size_t max_bytes, bool ascii_only) {
  std::string clean;
  while (!text.empty()) {
    const auto length = utf8_length(text);
    const bool usable = length > 0 && text[0] != '\0' && (!ascii_only || length == 1);
    std::string_view piece = text.substr(0, usable ? length : 1);
    std::string escaped;
    if (!usable && ascii_only) {
      escaped = fmt::format("\\x{:02X}", static_cast<unsigned char>(text[0]));
      piece = escaped;
    } else if (!usable) {
      piece = replacement;
    }
    if (clean.size() + piece.size() > max_bytes) break;
    clean += piece;
    text.remove_prefix(usable ? length : 1);
  }
  return clean;
}

}  // namespace semel::postgres
