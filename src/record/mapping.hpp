// What a column's mapping says: "$.a.b[0]", "@offset", "@headers.trace".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <semel/error.hpp>

namespace semel::record {

/// One step into JSON: a member of an object or an element of an array.
using Step = std::variant<std::string, std::size_t>;

enum class Part : std::uint8_t {
  path,        ///< a place in the value's JSON; of a row from an array, in its element
  value_path,  ///< a place in the value's JSON, whatever the row comes from
  index,       ///< of the element that the row comes from, counted from 0
  topic,
  partition,
  offset,
  key,        ///< bytes
  key_path,   ///< a place in the key's JSON
  timestamp,  ///< Kafka's, milliseconds
  headers,    ///< all of them as a JSON object
  header,     ///< one of them, bytes
  value,      ///< bytes
  constant,   ///< the configuration's own; no spelling leads here
};

struct Mapping {
  Part part = Part::path;
  std::vector<Step> path;  ///< for path (empty: the whole value), value_path and key_path
  std::string header;      ///< for header: its name
};

/// Whether it is a place in the record's value.
inline bool is_in_value(const Mapping& mapping) {
  return mapping.part == Part::path || mapping.part == Part::value_path;
}

/// "$" and steps: .name (up to the next '.' or '['), ['name'] or ["name"] (a backslash quotes the
/// next character), [0]; "@key" and such steps: a place in the key's JSON; "@value" and such steps;
/// or one of @topic @partition @offset @key @timestamp @headers @headers.NAME @value @index.
/// Anything else fails, saying what was expected (fatal, configuration).
Result<Mapping> parse_mapping(std::string_view written);

}  // namespace semel::record
