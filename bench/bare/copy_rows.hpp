// Records as rows of binary COPY, with no check at all: what both loops that write into PostgreSQL
// by themselves have in common. Links nothing of semel.
#pragma once

#include <simdjson.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bare {

inline constexpr std::size_t piece = 64 * 1024;
inline constexpr std::int64_t postgres_epoch_us =
    946'684'800'000'000;  // 2000-01-01 in microseconds

enum class Type { int8, float8, text, boolean, timestamptz };

struct Column {
  std::string name;
  Type type;
};

inline std::vector<Column> columns_of(const std::string& text) {
  static const std::map<std::string, Type> types{{"int8", Type::int8},
                                                 {"float8", Type::float8},
                                                 {"text", Type::text},
                                                 {"bool", Type::boolean},
                                                 {"timestamptz", Type::timestamptz}};
  std::vector<Column> columns;
  for (std::size_t at = 0; at < text.size();) {
    const auto colon = text.find(':', at);
    const auto comma = std::min(text.find(',', at), text.size());
    columns.push_back(
        {text.substr(at, colon - at), types.at(text.substr(colon + 1, comma - colon - 1))});
    at = comma + 1;
  }
  return columns;
}

template <class Integer>
void put(std::string& out, Integer value) {
  if constexpr (sizeof value == 8) {
    value = static_cast<Integer>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  } else if constexpr (sizeof value == 4) {
    value = static_cast<Integer>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else if constexpr (sizeof value == 2) {
    value = static_cast<Integer>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  }
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::int32_t>(text.size()));
  out.append(text);
}

/// "2026-01-31T12:34:56.789Z" in microseconds since 2000.
inline std::int64_t timestamp_of(std::string_view text) {
  if (text.size() != 24) throw std::runtime_error("not a timestamp: " + std::string(text));
  const auto digits = [&](std::size_t at, int count) {
    std::int64_t value = 0;
    for (; count > 0; --count) value = value * 10 + (text[at++] - '0');
    return value;
  };
  // Days from civil: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  std::int64_t year = digits(0, 4);
  const std::int64_t month = digits(5, 2);
  const std::int64_t day = digits(8, 2);
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t days = era * 146'097 + year_of_era * 365 + year_of_era / 4 -
                            year_of_era / 100 + day_of_year - 719'468;
  const std::int64_t seconds =
      days * 86'400 + digits(11, 2) * 3'600 + digits(14, 2) * 60 + digits(17, 2);
  return seconds * 1'000'000 + digits(20, 3) * 1'000 - postgres_epoch_us;
}

inline const char* const usual_columns =
    "id:int8,user_id:int8,kind:text,amount:float8,ts:timestamptz,note:text,ok:bool";

/// The bytes of one COPY.
class CopyRows {
 public:
  CopyRows(const std::string& table, std::vector<Column> columns) : columns_(std::move(columns)) {
    std::string names;
    for (const auto& column : columns_) names += (names.empty() ? "" : ", ") + column.name;
    statement = "COPY " + table + " (" + names + ") FROM STDIN (FORMAT binary)";
  }

  std::string statement;  ///< that begins it
  std::string out;        ///< what is to be sent next

  void begin() { out.append("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19); }
  void end() { put(out, std::int16_t{-1}); }
  void encode(const char* payload, std::size_t size) {
    // simdjson reads up to 64 bytes beyond the end.
    if (padded_.size() < size + simdjson::SIMDJSON_PADDING) {
      padded_.resize(2 * size + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(padded_.data(), payload, size);
    auto document = parser_.iterate(padded_.data(), size, padded_.size());
    auto object = document.get_object();
    put(out, static_cast<std::int16_t>(columns_.size()));
    for (const auto& column : columns_) {
      auto value = object.find_field(column.name);
      switch (column.type) {
        case Type::int8:
          put(out, std::int32_t{8});
          put(out, value.get_int64().value());
          break;
        case Type::float8:
          put(out, std::int32_t{8});
          put(out, std::bit_cast<std::int64_t>(value.get_double().value()));
          break;
        case Type::text:
          put_text(out, value.get_string().value());
          break;
        case Type::boolean:
          put(out, std::int32_t{1});
          put(out, static_cast<std::int8_t>(value.get_bool().value()));
          break;
        case Type::timestamptz:
          put(out, std::int32_t{8});
          put(out, timestamp_of(value.get_string().value()));
          break;
      }
    }
  }

 private:
  std::vector<Column> columns_;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
};

}  // namespace bare
