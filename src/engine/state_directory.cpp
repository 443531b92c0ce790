#include "engine/state_directory.hpp"

#include <cstdlib>

namespace semel::engine {

std::string state_root(const PipelineOptions& options) {
  const auto* home = std::getenv("HOME");
  const bool has_home = home != nullptr && *home == '/';
  if (has_home && (options.state_dir == "~" || options.state_dir.starts_with("~/"))) {
    return home + options.state_dir.substr(1);
  }
  if (!options.state_dir.empty()) return options.state_dir;
  const auto* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/semel";
  if (has_home) return std::string(home) + "/.local/state/semel";
  return "/var/lib/semel";
}

// Stored: do not change. The next start looks for its plans there.
std::string state_directory(const PipelineOptions& options) {
  return state_root(options) + "/" + options.name;
}

// Stored: do not change.
std::string state_directory(const PipelineOptions& options, const std::string& output) {
  const auto of_pipeline = state_directory(options);
  return output == default_output ? of_pipeline : of_pipeline + "/outputs/" + output;
}

// Stored: do not change.
std::string directory_of_stages(const PipelineOptions& options) {
  return state_directory(options) + "/state";
}

}  // namespace semel::engine
