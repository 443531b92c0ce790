#include "base/one_line.hpp"

#include <fmt/format.h>

namespace semel {

namespace {

bool breaks(char c) {
  return c >= '\t' && c <= '\r';
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (breaks(c)) {
      while (line.ends_with(' ')) line.pop_back();
      while (i + 1 < text.size() && (text[i + 1] == ' ' || breaks(text[i + 1]))) ++i;
      if (!line.empty() && i + 1 < text.size()) line += ' ';
    } else if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02X}", byte);
    } else if (byte == 0xC2 && i + 1 < text.size() &&
               static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      // C1, the other control characters of Unicode, in UTF-8.
      ++i;
      line += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[i]));
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace semel
