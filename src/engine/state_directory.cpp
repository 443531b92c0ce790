#include "engine/state_directory.hpp"

#include <cstdlib>

namespace semel::engine {

std::string state_directory(const PipelineOptions& options) {
  const auto below = [&](const std::string& root) { return root + "/" + options.name; };
  const auto* home = std::getenv("HOME");
  const bool has_home = home != nullptr && *home == '/';
  if (has_home && (options.state_dir == "~" || options.state_dir.starts_with("~/"))) {
    return below(home + options.state_dir.substr(1));
  }
  if (!options.state_dir.empty()) return below(options.state_dir);
  const auto* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return below(std::string(state) + "/semel");
  if (has_home) return below(std::string(home) + "/.local/state/semel");
  return below("/var/lib/semel");
}

}  // namespace semel::engine
