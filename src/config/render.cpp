#include <fmt/format.h>

#include "config/pipeline_config.hpp"
#include "config/setting.hpp"

namespace semel::config {

std::string render(const PipelineConfig& config) {
  auto copy = config;
  std::string out;
  std::string section;
  for (const auto& setting : settings()) {
    const auto shown = setting.binding.show(copy);
    if (shown.empty()) continue;
    const auto dot = setting.path.rfind('.');
    const auto of = dot == std::string::npos ? "" : setting.path.substr(0, dot);
    if (of != section) {
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", of);
      section = of;
    }
    out += fmt::format("{} = {}\n", setting.path.substr(dot + 1), shown);
  }
  return out;
}

}  // namespace semel::config
