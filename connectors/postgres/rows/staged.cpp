#include "postgres/rows/staged.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace semel::postgres {

bool Staged::Set::lacks(const std::string& column) const {
  return std::ranges::find(columns, column) == columns.end();
}

std::vector<std::string> Staged::varying() const {
  std::set<std::string> all;
  for (const auto& set : sets) all.insert(set.columns.begin(), set.columns.end());
  std::vector<std::string> some;
  std::ranges::copy_if(all, std::back_inserter(some), [&](const std::string& column) {
    return std::ranges::any_of(sets, [&](const Set& set) { return set.lacks(column); });
  });
  return some;
}

}  // namespace semel::postgres
