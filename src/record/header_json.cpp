#include "record/header_json.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/clean_text.hpp"

namespace semel::record {

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
    if (one["base64"].get(value) == simdjson::SUCCESS) from_base64(value, bytes.emplace());
  }
  return headers;
}

HeaderSource source_of(const KeptHeaders& headers) {
  return {.message = &headers, .read = append_kept};
}

}  // namespace semel::record
