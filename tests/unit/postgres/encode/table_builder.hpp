// Tables and records for tests of the encoders, without a server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/rows/row_encoder.hpp"
#include "support/catch.hpp"

namespace semel::postgres {

/// A column of a built-in type, by its number in pg_type.
inline Column column(std::string name, Oid type, std::string type_name,
                     std::int32_t modifier = -1) {
  return {.name = std::move(name),
          .type = {.oid = type, .base = type, .modifier = modifier},
          .type_name = std::move(type_name)};
}

inline Column array_column(std::string name, Oid type, Oid element, std::int32_t modifier = -1) {
  Column result = column(std::move(name), type, "an array");
  result.type.kind = 'a';
  result.type.parts = {{.oid = element, .base = element, .modifier = modifier}};
  return result;
}

inline Table table_of(std::vector<Column> columns) {
  return {.schema = "public", .name = "t", .oid = 1, .columns = std::move(columns)};
}

namespace oid {
inline constexpr Oid boolean = 16, bytea = 17, name = 19, int8 = 20, int2 = 21, int4 = 23,
                     text = 25, oid = 26, json = 114, float4 = 700, float8 = 701, bpchar = 1042,
                     varchar = 1043, date = 1082, time = 1083, timestamp = 1114, timestamptz = 1184,
                     numeric = 1700, uuid = 2950, jsonb = 3802, inet = 869;
}

inline RowEncoder encoder_of(std::vector<Column> columns, const Options& options = {}) {
  auto encoder = RowEncoder::make(table_of(std::move(columns)), options);
  if (!encoder) FAIL(encoder.error().message);
  return std::move(*encoder);
}

inline const TopicPartition kSource{"clicks", 3};

inline Record record_of(std::optional<std::string_view> value) {
  return {.offset = 42, .timestamp_ms = 1'700'000'000'123, .key = "k1", .value = value};
}

/// Bytes as hexadecimal digits, groups of which the tests name.
inline std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (const char c : bytes) {
    result += digits[(c >> 4) & 15];
    result += digits[c & 15];
  }
  return result;
}

/// The row that a value becomes, or "SQLSTATE column" where it is bad.
inline std::string row_of(RowEncoder& encoder, std::string_view json) {
  std::string out;
  const Encoded encoded = encoder.encode(kSource, record_of(json), out);
  if (encoded.status == Fate::bad) {
    CHECK(out.empty());
    return encoder.bad().code + " " + encoder.bad().column;
  }
  return out;
}

/// The binary image of one value in a column of `type`, as hexadecimal digits; "null"; or the
/// SQLSTATE.
inline std::string image(const Column& column, std::string_view json_value, Options options = {}) {
  RowEncoder encoder = encoder_of({column}, options);
  REQUIRE(encoder.format() == CopyFormat::binary);
  std::string out;
  const std::string record = "{\"" + column.name + "\":" + std::string(json_value) + "}";
  const Encoded encoded = encoder.encode(kSource, record_of(record), out);
  if (encoded.status == Fate::bad) return encoder.bad().code;
  REQUIRE(hex(std::string_view(out).substr(0, 2)) == "0001");
  const std::string length = hex(std::string_view(out).substr(2, 4));
  if (length == "ffffffff") return "null";
  const std::string bytes = out.substr(6);
  CHECK(std::stoul(length, nullptr, 16) == bytes.size());
  return hex(bytes);
}

inline std::string image(Oid type, std::string_view json_value, std::int32_t modifier = -1) {
  return image(column("c", type, "the type", modifier), json_value);
}

}  // namespace semel::postgres
