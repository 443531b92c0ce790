#include "base/clean_text.hpp"

#include <fmt/format.h>

namespace semel {

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

std::string plain(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    clean += code < 0x20 || code == 0x7F ? ' ' : c;
  }
  return clean;
}

}  // namespace semel
