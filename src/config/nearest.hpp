// What somebody meant who wrote a name that does not exist.
#pragma once

#include <optional>
#include <string>

#include "config/schema.hpp"

namespace semel::config {

/// Insertions, deletions, replacements and swaps of neighbours between two words.
int edit_distance(const std::string& a, const std::string& b);

struct Hint {
  std::string sentence;             ///< "Did you mean batch.interval?"
  std::optional<std::string> path;  ///< of the setting that was probably meant
};

/// For an unknown `path`; an empty sentence where nothing is near.
Hint nearest(const Schema& schema, const std::string& path);

}  // namespace semel::config
