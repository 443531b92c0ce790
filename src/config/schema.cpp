#include "config/schema.hpp"

#include <algorithm>

namespace semel::config {

Schema::Schema(std::vector<Section> sections) : sections_(std::move(sections)) {
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    const auto& path = sections_[i].path;
    for (auto setting : sections_[i].settings) {
      if (!path.empty()) setting.path.insert(0, path + ".");
      settings_.push_back(std::move(setting));
      section_of_.push_back(i);
    }
  }
}

std::size_t Schema::section_of(const Setting& setting) const {
  return section_of_[static_cast<std::size_t>(&setting - settings_.data())];
}

const Setting* Schema::find(const std::string& path) const {
  const auto found = std::ranges::find(settings_, path, &Setting::path);
  return found == settings_.end() ? nullptr : &*found;
}

bool Schema::is_section(const std::string& path) const {
  return std::ranges::any_of(
      settings_, [&](const auto& setting) { return setting.path.starts_with(path + "."); });
}

std::string show(const Schema& schema, const Setting& setting, Parts& parts) {
  return setting.binding.show(parts[schema.section_of(setting)]);
}

}  // namespace semel::config
