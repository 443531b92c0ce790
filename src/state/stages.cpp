#include "state/stages.hpp"

#include <algorithm>

namespace semel::state {

// Stored: do not change.
std::string prefix_of(std::string_view stage) {
  return std::string(stage) + '\0';
}

Result<std::vector<StageSize>> stages_in(const Store& store) {
  std::vector<StageSize> stages;
  const auto read = store.scan({}, [&](std::string_view key, std::string_view value) {
    const auto name = key.substr(0, key.find('\0'));
    if (stages.empty() || stages.back().stage != name)
      stages.push_back({.stage = std::string(name)});
    auto& stage = stages.back();
    if (key.substr(std::min(key.size(), name.size() + 1)) == shape_key) {
      stage.shape = value;
      return true;
    }
    ++stage.keys;
    stage.bytes += key.size() + value.size();
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return stages;
}

}  // namespace semel::state
