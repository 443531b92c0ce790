// What the configuration says of one column: where its value comes from, and what is made of it on
// the way. Values only; filled by settings in src/connector.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/value.hpp"

namespace semel::record {

/// What a number counts since 1970-01-01 00:00 UTC; of a time of day: since midnight.
enum class Unit : std::uint8_t { none, seconds, milliseconds, microseconds, nanoseconds, days };
/// How a text spells bytes.
enum class Encoding : std::uint8_t { none, base64, hex };
/// What becomes of the character NUL in a text.
enum class Nul : std::uint8_t { bad, strip };

/// A value that the configuration has, as a record would spell it.
struct Constant {
  Kind kind = Kind::string;  ///< or number, boolean
  std::string text;

  Value value() const;
  /// As TOML has it.
  std::string written() const;
  bool operator==(const Constant&) const = default;
};

/// A plain path is one: {"id", "$.user.id"}.
struct ColumnRule {
  ColumnRule() = default;
  ColumnRule(std::string path)  // NOLINT(google-explicit-constructor): a path is a rule
      : from{std::move(path)} {}
  ColumnRule(const char* path)  // NOLINT(google-explicit-constructor)
      : from{path} {}

  std::vector<std::string> from{};  ///< the first that has a value; empty: the member of its name
  std::optional<Constant> constant{};  ///< in all rows, whatever the record is
  Unit unit = Unit::none;
  std::string format{};  ///< of a text that is a date or time (time_format.hpp); empty: none
  Encoding encoding = Encoding::none;
  bool parse_json = false;              ///< a text holds JSON
  bool empty_is_null = false;           ///< a text without characters
  bool null_is_absent = false;          ///< so that the default counts
  std::optional<Nul> nul{};             ///< absent: as the sink says
  std::optional<Constant> if_absent{};  ///< in place of the table's own default

  /// Nothing but one path.
  bool is_path() const;
  /// Nothing has to be made of the value.
  bool converts() const {
    return unit != Unit::none || !format.empty() || encoding != Encoding::none || parse_json;
  }
  bool operator==(const ColumnRule&) const = default;
};

/// By column.
using ColumnRules = std::map<std::string, ColumnRule>;

/// As in the configuration's file, but that a path has no quotes: `$.a`, or `{ from = "$.a", unit =
/// "days" }`.
std::string to_string(const ColumnRule& rule);
/// Where the value comes from, for people: "$.a or $.b"; empty: the member of its name.
std::string source_of(const ColumnRule& rule);
/// What is made of it, for people: `, unit = "days"`; empty: nothing.
std::string told_of(const ColumnRule& rule);

std::string_view name_of(Unit unit);
std::string_view name_of(Encoding encoding);

}  // namespace semel::record
