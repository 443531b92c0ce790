#include "postgres/quoting.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <memory>

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

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
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

QualifiedName split_name(std::string_view written) {
  const auto dot = written.find('.');
  if (dot == std::string_view::npos) return {"", std::string(written)};
  return {std::string(written.substr(0, dot)), std::string(written.substr(dot + 1))};
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

std::string without_secrets(std::string message, const std::string& dsn) {
  struct Options {
    PQconninfoOption* all;
    ~Options() { PQconninfoFree(all); }
  };
  char* why = nullptr;
  const Options parsed{PQconninfoParse(dsn.c_str(), &why)};
  PQfreemem(why);
  if (parsed.all == nullptr) {
    // Who cannot parse it cannot say which part of it is the password: leave out what is quoted.
    std::string masked;
    bool quoted = false;
    for (const char c : message) {
      if (c == '"') {
        masked += quoted ? "\"" : "\"***";
        quoted = !quoted;
      } else if (!quoted) {
        masked += c;
      }
    }
    return masked;
  }
  for (const auto* option = parsed.all; option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val != nullptr && (keyword == "password" || keyword == "sslpassword")) {
      replace_all(message, option->val, "***");
    }
  }
  return message;
}

}  // namespace semel::postgres
