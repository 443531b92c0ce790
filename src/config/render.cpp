#include "config/render.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace semel::config {

std::string render(const Schema& schema, Parts parts, const std::set<std::string>& sections) {
  // A table of TOML stands in one piece, and two declarations may share one.
  std::vector<std::pair<std::string, std::string>> tables;
  for (const auto& setting : schema.settings()) {
    const auto& declared = schema.sections()[schema.section_of(setting)];
    if (declared.optional && !sections.contains(declared.path)) continue;
    const auto shown = show(schema, setting, parts);
    if (shown.empty()) continue;
    const auto dot = setting.path.rfind('.');
    const auto of = dot == std::string::npos ? "" : setting.path.substr(0, dot);
    auto table = std::ranges::find(tables, of, [](const auto& each) { return each.first; });
    if (table == tables.end()) table = tables.insert(table, {of, {}});
    table->second += fmt::format("{} = {}\n", setting.path.substr(dot + 1), shown);
  }
  std::string out;
  for (const auto& [name, lines] : tables) {
    if (!name.empty()) out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", name);
    out += lines;
  }
  return out;
}

}  // namespace semel::config
