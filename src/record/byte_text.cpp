#include "record/byte_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace semel::record {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::size_t kDigitsInGroup = 4;

/// By character; 64: none of them.
constexpr std::array<std::uint8_t, 256> values_of_digits() {
  std::array<std::uint8_t, 256> values{};
  values.fill(64);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  values['-'] = values['+'];
  values['_'] = values['/'];
  return values;
}

constexpr auto kValues = values_of_digits();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < kDigitsInGroup; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63U];
    }
  }
  return text;
}

bool from_base64(std::string_view text, std::string& out) {
  if (text.find_first_of("+/") != std::string_view::npos &&
      text.find_first_of("-_") != std::string_view::npos) {
    return false;
  }
  const auto length = std::min(text.find('='), text.size());
  const auto padding = text.size() - length;
  const auto over = length % kDigitsInGroup;
  if (over == 1) return false;
  if (padding != 0 && (text.size() % kDigitsInGroup != 0 || padding > 2)) return false;
  if (text.substr(length).find_first_not_of('=') != std::string_view::npos) return false;
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : text.substr(0, length)) {
    const unsigned digit = kValues[static_cast<unsigned char>(c)];
    if (digit == 64) return false;
    group = (group << 6U | digit) & 0xFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(group >> bits & 0xFFU);
  }
  return (group & ((1U << bits) - 1)) == 0;
}

bool from_hex(std::string_view text, std::string& out) {
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high << 4 | low);
  }
  return true;
}

}  // namespace semel::record
