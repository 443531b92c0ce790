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
  path,  ///< a place in the value's JSON
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
  std::vector<Step> path;  ///< for path (empty: the whole value) and key_path
  std::string header;      ///< for header: its name
};

/// "$" and steps: .name (up to the next '.' or '['), ['name'] or ["name"] (a backslash quotes the
/// next character), [0]; "@key" and such steps: a place in the key's JSON; or one of @topic
/// @partition @offset @key @timestamp @headers @headers.NAME @value. Anything else fails, saying
/// what was expected (fatal, configuration).
Result<Mapping> parse_mapping(std::string_view written);

}  // namespace semel::record
