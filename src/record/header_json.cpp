#include "record/header_json.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/clean_text.hpp"

namespace semel::record {

namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
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

namespace {

std::string from_base64(std::string_view text) {
  std::string bytes;
  unsigned group = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) break;  // the padding
    group = group << 6U | static_cast<unsigned>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> static_cast<unsigned>(bits) & 0xFFU);
  }
  return bytes;
}

void append_kept(const void* message, std::vector<Header>& into) {
  for (const auto& [name, value] : *static_cast<const KeptHeaders*>(message)) {
    into.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  }
}

}  // namespace

KeptHeaders headers_from_json(std::string_view json) {
  KeptHeaders headers;
  simdjson::dom::parser parser;
  simdjson::dom::array all;
  if (json.empty() || parser.parse(json.data(), json.size()).get(all) != simdjson::SUCCESS) {
    return headers;
  }
  for (const simdjson::dom::element one : all) {
    std::string_view name;
    std::string_view value;
    if (one["name"].get(name) != simdjson::SUCCESS) continue;
    auto& [kept, bytes] = headers.emplace_back();
    kept = name;
    if (one["value"].get(value) == simdjson::SUCCESS) bytes = std::string(value);
    if (one["base64"].get(value) == simdjson::SUCCESS) bytes = from_base64(value);
  }
  return headers;
}

HeaderSource source_of(const KeptHeaders& headers) {
  return {.message = &headers, .read = append_kept};
}

}  // namespace semel::record
