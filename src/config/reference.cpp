#include "config/reference.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <vector>

namespace semel::config {

namespace {

std::string section_of(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string short_name(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

std::string heading(const std::string& section) {
  return section.empty() ? "Top of the file" : fmt::format("[{}]", section);
}

/// GitHub's anchor of a heading.
std::string anchor(const std::string& heading) {
  std::string out;
  for (const char c : heading) {
    if (c == ' ') {
      out += '-';
    } else if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
      out += c;
    }
  }
  return out;
}

std::string default_of(const Schema& schema, const Setting& setting) {
  if (setting.required) return "required";
  auto defaults = schema.sections()[schema.section_of(setting)].defaults;
  const auto shown = setting.binding.show(defaults);
  return shown.empty() ? "not set" : fmt::format("`{}`", shown);
}

std::string describe(const Schema& schema, const Setting& setting) {
  auto type = setting.binding.type;
  if (!setting.binding.choices.empty()) {
    type = "";
    for (const auto& choice : setting.binding.choices) {
      type += fmt::format("{}`{}`", type.empty() ? "one of " : ", ", config::quoted(choice));
    }
  }
  auto out = fmt::format("### {}\n\n{} · {}{}", short_name(setting.path), type,
                         setting.required ? "" : "default: ", default_of(schema, setting));
  if (setting.secret) out += " · secret: never shown in messages";
  out += fmt::format("\n\n{}\n", setting.text);
  if (!setting.example.empty()) {
    out += fmt::format("\n```toml\n{} = {}\n```\n", short_name(setting.path), setting.example);
  }
  return out;
}

}  // namespace

std::string reference_page(const Schema& schema, std::string_view introduction) {
  std::vector<std::string> sections;
  for (const auto& setting : schema.settings()) {
    const auto section = section_of(setting.path);
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  auto page = std::string(introduction);
  page += "\n| section | settings |\n| --- | --- |\n";
  for (const auto& section : sections) {
    std::string names;
    for (const auto& setting : schema.settings()) {
      if (section_of(setting.path) != section) continue;
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", short_name(setting.path));
    }
    page += fmt::format("| [{}](#{}) | {} |\n",
                        section.empty() ? heading(section) : fmt::format("`{}`", heading(section)),
                        anchor(heading(section)), names);
  }
  for (const auto& section : sections) {
    page += fmt::format("\n## {}\n", heading(section));
    for (const auto& setting : schema.settings()) {
      if (section_of(setting.path) != section) continue;
      page += '\n';
      page += describe(schema, setting);
    }
  }
  return page;
}

}  // namespace semel::config
