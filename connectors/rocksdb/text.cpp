#include "rocksdb/text.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/clean_text.hpp"
#include "record/header_json.hpp"

namespace semel::rocksdb {

// Stored: do not change, neither the order of keys nor how a cell is spelled; people's programs
// read them, too.

namespace {

using nlohmann::json;

void append(std::string& key, const store::Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    key += fmt::format("{:020}", *number);
  } else if (const auto* text = std::get_if<std::string>(&cell)) {
    for (const char c : *text) {
      const auto byte = static_cast<unsigned char>(c);
      byte <= ' ' || c == '%' ? key += fmt::format("%{:02X}", byte) : key += c;
    }
  }
}

json json_of(const store::Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return *number;
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* bytes = std::get_if<store::Bytes>(&cell)) {
    const bool is_text = sanitise(bytes->bytes, bytes->bytes.size() * 3) == bytes->bytes;
    return is_text ? json(bytes->bytes) : json{{"base64", record::base64(bytes->bytes)}};
  }
  return nullptr;
}

store::Cell cell_of(const json& value, store::Type type) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_string() && type == store::Type::bytes) {
    return store::Bytes{value.get<std::string>()};
  }
  if (value.is_string()) return value.get<std::string>();
  return {};
}

}  // namespace

std::string key_of(const store::Table& table, const store::Row& cells) {
  std::string key(table.name);
  key += ' ';
  for (const auto& cell : cells) {
    append(key, cell);
    key += ' ';
  }
  return key;
}

std::string value_of(const store::Table& table, const store::Row& row) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < row.size(); ++i) {
    object[std::string(table.columns[i].name)] = json_of(row[i]);
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<store::Row> row_of(const store::Table& table, std::string_view value) {
  const auto object = json::parse(value, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  store::Row row;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& column = table.columns[i];
    const auto found = object.find(column.name);
    row.push_back(found == object.end() ? store::Cell() : cell_of(*found, column.type));
    const bool null = std::holds_alternative<std::monostate>(row.back());
    if (null && !column.may_be_null) return std::nullopt;
  }
  return row;
}

}  // namespace semel::rocksdb
