// A table's columns, and where their values come from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "record/mapping.hpp"
#include "record/rule.hpp"

namespace semel::record {

/// What a column can hold, as far as mappings and rules are concerned.
enum class Holds : std::uint8_t {
  text,     ///< any text
  json,     ///< JSON documents
  bytes,    ///< any bytes
  number,   ///< integers, floats, decimals
  instant,  ///< timestamps
  date,
  time,     ///< of day
  nested,   ///< what JSON has as arrays or objects, each element or member as its type says
  other,    ///< only some texts: a boolean, a uuid, a range
  unknown,  ///< only the sink's server knows; or anything
};

/// A column as the sink knows it.
struct Column {
  std::string name;
  std::string type_name;  ///< for people
  Holds holds = Holds::unknown;
  bool keeps_times_as_text = false;  ///< a column for text, where dates and times are kept, too
};

/// And where its values come from.
struct MappedColumn {
  std::string name;
  Holds holds = Holds::unknown;
  Mapping mapping;
  std::string
      written{};  ///< the mapping as the configuration has it; empty: the member of its name
  std::string type_name{};
  ColumnRule rule{};
  std::vector<Mapping> others{};  ///< where it comes from if it is not at `mapping`, in this order
  bool of_key = false;            ///< a record that removes a row has to have it

  /// Whether a record may lack it: then its value is absent, and the column's default counts.
  bool may_be_absent() const {
    if (rule.if_absent || mapping.part == Part::constant) return false;
    const auto may_be = [](const Mapping& one) {
      return is_in_value(one) || one.part == Part::key_path || one.part == Part::header;
    };
    return rule.null_is_absent || (may_be(mapping) && std::ranges::all_of(others, may_be));
  }
  /// Whether it is there without the record's value.
  bool is_beside_value() const {
    const auto beside = [](const Mapping& one) {
      return !is_in_value(one) && one.part != Part::value && one.part != Part::index;
    };
    return beside(mapping) || std::ranges::any_of(others, beside);
  }
};

/// `rules` are the user's and stand in `setting` ("sink.postgres.columns"); columns that are not in
/// there come from the member of their name. `table` is what people call it. Fails (fatal,
/// configuration) where a mapping or format cannot be parsed, is of a column that there is not, or
/// yields what the column cannot hold.
Result<std::vector<MappedColumn>> map_columns(std::span<const Column> columns,
                                              const ColumnRules& rules, std::string_view setting,
                                              std::string_view table);

/// Members at the top of a value that columns come from.
std::vector<std::string> known_members(std::span<const MappedColumn> columns);

}  // namespace semel::record
