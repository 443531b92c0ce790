// What is in effect, as a file.
#pragma once

#include <set>
#include <string>

#include "config/schema.hpp"

namespace semel::config {

/// Every setting with its value in `parts`, as TOML that load() would read, secrets masked. Of
/// sections that are optional those in `sections` only.
std::string render(const Schema& schema, Parts parts, const std::set<std::string>& sections);

}  // namespace semel::config
