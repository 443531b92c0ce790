// What somebody meant who wrote a name that does not exist.
#pragma once

#include <optional>
#include <string>

namespace semel::config {

/// Insertions, deletions, replacements and swaps of neighbours between two words.
int edit_distance(const std::string& a, const std::string& b);

struct Hint {
  std::string sentence;             ///< "Did you mean sink.postgres.table?"
  std::optional<std::string> path;  ///< of the setting that was probably meant
};

/// For an unknown `path`; an empty sentence where nothing is near.
Hint nearest(const std::string& path);

}  // namespace semel::config
