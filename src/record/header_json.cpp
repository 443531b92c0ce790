#include "record/header_json.hpp"

#include <fmt/format.h>

#include "base/clean_text.hpp"

namespace semel::record {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63U];
    }
  }
  return text;
}

namespace {

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted += '"';
}

}  // namespace

std::string headers_as_json(const std::vector<Header>& headers) {
  std::string json;
  for (const auto& header : headers) {
    json += json.empty() ? "[" : ", ";
    json += "{\"name\": " + json_string(sanitise(header.name, header.name.size() * 3));
    if (!header.value) {
      json += ", \"value\": null}";
    } else if (sanitise(*header.value, header.value->size() * 3) == *header.value) {
      json += ", \"value\": " + json_string(*header.value) + "}";
    } else {
      json += ", \"base64\": \"" + base64(*header.value) + "\"}";
    }
  }
  return json.empty() ? "" : json + "]";
}

}  // namespace semel::record
