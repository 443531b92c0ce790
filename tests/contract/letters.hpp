// Dead letters as text, so that what stores have of them in words of their own can be compared with
// the records: bytes in base64.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include <semel/record.hpp>

#include "record/header_json.hpp"

namespace semel::contract {

/// A part of a row in JSON: text, {"base64": …}, or a member NAME_base64.
inline std::string in_base64(const nlohmann::json& row, const std::string& name) {
  const auto encoded = row.find(name + "_base64");
  if (encoded != row.end() && !encoded->is_null()) return *encoded;
  const auto part = row.find(name);
  if (part == row.end() || part->is_null()) return "null";
  return part->is_object() ? part->at("base64").get<std::string>()
                           : record::base64(part->get<std::string>());
}

inline std::string in_base64(const std::optional<std::string_view>& bytes) {
  return bytes ? record::base64(*bytes) : "null";
}

inline std::string letter_of(const Record& record) {
  const auto headers = record::headers_as_json(record.headers());
  const auto time = record.timestamp_ms;
  return in_base64(record.key) + " " + in_base64(record.value) + " at " +
         (time < 0 ? "null" : std::to_string(time)) + ", headers " +
         (headers.empty() ? "null" : nlohmann::json::parse(headers).dump());
}

/// Of a row with the columns of semel_dead_letters; headers are JSON, or a text of it.
inline std::string letter_of(const nlohmann::json& row) {
  const auto member = [&](const char* name) {
    const auto found = row.find(name);
    return found == row.end() ? nlohmann::json() : *found;
  };
  auto headers = member("headers");
  if (headers.is_string()) headers = nlohmann::json::parse(headers.get<std::string>());
  return in_base64(row, "key") + " " + in_base64(row, "value") + " at " +
         member("timestamp_ms").dump() + ", headers " + headers.dump();
}

}  // namespace semel::contract
