#include "base/pipeline_names.hpp"

#include <algorithm>
#include <string_view>

namespace semel {

namespace {

/// ASCII, in any locale.
bool holds_only(std::string_view name, std::string_view others) {
  return std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

constexpr std::size_t pipeline_name_max = 200;
constexpr std::size_t output_name_max = 63;
constexpr std::size_t source_name_max = 100;

}  // namespace

std::optional<std::string> pipeline_name_mistake(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > pipeline_name_max) {
    return "must have at most 200 characters, not " + std::to_string(name.size());
  }
  if (!holds_only(name, "._-")) {
    return "may hold letters, digits and . _ - only, since it names a directory and a consumer "
           "group";
  }
  // It names a directory.
  if (name == "." || name == "..") return "must not be . or ..";
  return std::nullopt;
}

std::optional<std::string> output_name_mistake(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > output_name_max) return "must have at most 63 characters";
  if (!holds_only(name, "_-")) {
    return "may hold letters, digits and _ - only, since it names a directory";
  }
  return std::nullopt;
}

std::optional<std::string> source_name_mistake(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > source_name_max) return "must have at most 100 characters";
  if (!holds_only(name, "._-")) {
    return "may hold letters, digits and . _ - only, since it is part of a topic's name and of a "
           "directory's";
  }
  return std::nullopt;
}

}  // namespace semel
