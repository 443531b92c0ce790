// Why a whole record is refused, for people: looked into only once it is. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "record/json_text.hpp"

namespace semel::formats {

/// For a value that is no JSON object; `error` is what the reader met first, which is often far
/// from the mistake.
std::string why_not_an_object(std::string_view value, std::string_view error,
                              const record::JsonCheck& is_json);

/// Whether a valid JSON object has no members.
bool is_empty_object(std::string_view object);

/// For a valid JSON object in which no path found anything. `columns`: names of those that come
/// from a member of their own name; `setting` is where mappings are written.
std::string why_no_column(std::string_view document, std::span<const std::string> columns,
                          std::string_view setting);

}  // namespace semel::formats
