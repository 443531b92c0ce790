// TOML, read with places, the environment filled in, and overrides on top.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/schema.hpp"
#include "config/value.hpp"

namespace semel::config {

/// A setting said beside the file: "key.path=value".
struct Override {
  std::string text;
  std::string from = "--set";  ///< what messages call the way by which it came
  bool loose = true;           ///< nobody writes quotes there: a bare word is a text
};

struct Document {
  bool broken = false;                     ///< not TOML: nothing is known of it but the one problem
  std::map<const Setting*, Value> values;  ///< what was given
  std::set<std::string> sections;          ///< that are there, by their paths
  std::vector<Problem> problems;
  /// Settings that somebody probably meant by an unknown name: not worth calling them missing too.
  std::vector<std::string> probably_meant;
};

Document read_document(const Schema& schema, const std::string& text, const std::string& name,
                       const std::vector<Override>& overrides);

/// One TOML value; nothing where it is none.
std::optional<Value> parse_value(const std::string& text, const Place& place);

}  // namespace semel::config
