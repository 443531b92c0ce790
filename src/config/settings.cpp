#include <algorithm>

#include "config/setting.hpp"

namespace semel::config {

const std::vector<Setting>& settings() {
  static const auto all = [] {
    auto list = pipeline_settings();
    for (auto&& part : {kafka_settings(), postgres_settings()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

const Setting* find_setting(const std::string& path) {
  const auto& all = settings();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& setting) { return setting.path == path; });
  return found == all.end() ? nullptr : &*found;
}

bool is_section(const std::string& path) {
  return std::any_of(settings().begin(), settings().end(),
                     [&](const auto& setting) { return setting.path.starts_with(path + "."); });
}

}  // namespace semel::config
