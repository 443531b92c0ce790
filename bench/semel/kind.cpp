#include "bench/semel/kind.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

namespace semel::bench {

namespace {

constexpr std::array<std::pair<Kind, const char*>, 4> kinds{{
    {Kind::semel, "semel"},
    {Kind::receiver, "receiver"},
    {Kind::at_least_once, "at-least-once"},
    {Kind::at_most_once, "at-most-once"},
}};

}  // namespace

std::string to_string(Kind kind) {
  for (const auto& [value, name] : kinds) {
    if (value == kind) return name;
  }
  return "?";
}

Result<std::vector<Kind>> parse_baselines(const std::string& list) {
  std::vector<Kind> chosen{Kind::semel};
  if (list == "none") return chosen;
  std::istringstream words(list == "all" ? "receiver,at-least-once,at-most-once" : list);
  for (std::string word; std::getline(words, word, ',');) {
    const auto* found = std::find_if(kinds.begin(), kinds.end(),
                                     [&](const auto& kind) { return word == kind.second; });
    if (found == kinds.end()) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("--baselines: {} is none of semel, receiver, at-least-once, "
                              "at-most-once, all, none",
                              word));
    }
    if (std::find(chosen.begin(), chosen.end(), found->first) == chosen.end()) {
      chosen.push_back(found->first);
    }
  }
  return chosen;
}

}  // namespace semel::bench
