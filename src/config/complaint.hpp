// What bindings say of a value that does not fit.
#pragma once

#include <fmt/format.h>
#include <optional>
#include <string>
#include <utility>

#include "config/value.hpp"

namespace semel::config {

using Wrong = std::optional<Problem>;

inline Wrong wrong(const Value& value, std::string text) {
  return Problem{value.place, std::move(text)};
}

inline Wrong wrong_type(const Value& value, const std::string& expected) {
  return wrong(value, fmt::format("must be {}, not {}", expected, kind_of(value)));
}

/// The text of a string, or of what was written without quotes where quotes are not expected.
inline const std::string* text_of(const Value& value) {
  if (value.loose) return &value.text;
  return value.as<std::string>();
}

}  // namespace semel::config
