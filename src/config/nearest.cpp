#include "config/nearest.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <vector>

namespace semel::config {

namespace {

std::string parent_of(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string leaf_of(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? path : path.substr(dot + 1);
}

/// Every setting's name and every section's.
std::vector<std::string> known_paths(const Schema& schema) {
  std::vector<std::string> paths;
  for (const auto& setting : schema.settings()) {
    paths.push_back(setting.path);
    for (auto section = parent_of(setting.path); !section.empty(); section = parent_of(section)) {
      if (std::find(paths.begin(), paths.end(), section) == paths.end()) paths.push_back(section);
    }
  }
  return paths;
}

int tolerated(const std::string& word) {
  return std::max<int>(1, static_cast<int>(word.size()) / 3);
}

std::string where(const std::string& path) {
  const auto section = parent_of(path);
  return section.empty() ? "at the top of the file, above the first [section]"
                         : fmt::format("in [{}]", section);
}

}  // namespace

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

Hint nearest(const Schema& schema, const std::string& path) {
  const auto parent = parent_of(path);
  const auto leaf = leaf_of(path);
  const std::string* best = nullptr;
  int best_distance = tolerated(leaf) + 1;
  const auto known = known_paths(schema);
  // A slip of the finger in the right section.
  for (const auto& candidate : known) {
    if (parent_of(candidate) != parent) continue;
    const int distance = edit_distance(leaf, leaf_of(candidate));
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best != nullptr) return {fmt::format("Did you mean {}?", *best), *best};
  // The right name in the wrong section.
  for (const auto& candidate : known) {
    if (leaf_of(candidate) == leaf) {
      if (schema.find(candidate) == nullptr) {
        return {fmt::format("{} is a section: [{}] on a line of its own", leaf, candidate),
                candidate};
      }
      return {fmt::format("{} stands {}", leaf, where(candidate)), candidate};
    }
  }
  // A name of somebody else's (librdkafka's have dots) in the section that has a table for them.
  for (const auto& setting : schema.settings()) {
    if (setting.strangers.empty() || !parent.starts_with(parent_of(setting.path))) continue;
    return {fmt::format("{} stand in [{}]", setting.strangers, setting.path), std::nullopt};
  }
  // The whole path, for a slip above.
  best_distance = static_cast<int>(path.size()) / 4 + 1;
  for (const auto& candidate : known) {
    const int distance = edit_distance(path, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best != nullptr) return {fmt::format("Did you mean {}?", *best), *best};
  return {};
}

}  // namespace semel::config
