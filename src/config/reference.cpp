#include "config/reference.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string_view>
#include <vector>

#include "config/setting.hpp"

namespace semel::config {

namespace {

constexpr std::string_view introduction = R"(# Configuration

<!-- Made by `semel reference configuration` from src/config/settings*.cpp. Do not edit: a test compares. -->

A pipeline is one TOML file. Four values and a name are enough:

```toml
name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics  = ["clicks"]
[sink.postgres]
dsn   = "postgresql://localhost/shop"
table = "clicks"
```

`semel check FILE` says whether everything is in order; `semel check FILE --show-config` prints every setting in effect,
passwords masked.

**Environment.** `${NAME}` in any string is replaced by the environment's variable; one that is not set is an error. A string that
came from the environment may stand for any type: `executors = "${EXECUTORS}"`. Write `$${` for `${` itself.

**Command line.** `--set key.path=value` (as often as needed) wins over the file: `--set batch.interval=1s --set
'source.kafka.topics=["clicks", "views"]'`. Values are TOML; quotes may be left out. What is given there is visible to other users
of the machine: keep passwords in the environment.

**Types.** A *duration* is a string such as `"250ms"`, `"5s"`, `"10m"`, `"2h"`, `"7d"`. A *size* is a string such as `"64MiB"`
(KiB, MiB, GiB, KB, MB, GB, B) or a number of bytes. A *choice* is one of the strings listed.

A key that does not exist, a value of the wrong type or out of range, a missing required setting: each is an error with file, line
and column, and exit code 2.
)";

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

std::string default_of(const Setting& setting) {
  if (setting.required) return "required";
  PipelineConfig defaults;
  const auto shown = setting.binding.show(defaults);
  return shown.empty() ? "not set" : fmt::format("`{}`", shown);
}

std::string describe(const Setting& setting) {
  auto type = setting.binding.type;
  if (!setting.binding.choices.empty()) {
    type = "";
    for (const auto& choice : setting.binding.choices) {
      type += fmt::format("{}`{}`", type.empty() ? "one of " : ", ", quoted(choice));
    }
  }
  auto out = fmt::format("### {}\n\n{} · {}{}", short_name(setting.path), type,
                         setting.required ? "" : "default: ", default_of(setting));
  if (setting.secret) out += " · secret: never shown in messages";
  out += fmt::format("\n\n{}\n", setting.text);
  if (!setting.example.empty()) {
    out += fmt::format("\n```toml\n{} = {}\n```\n", short_name(setting.path), setting.example);
  }
  return out;
}

}  // namespace

std::string reference_page() {
  std::vector<std::string> sections;
  for (const auto& setting : settings()) {
    const auto section = section_of(setting.path);
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  auto page = std::string(introduction);
  page += "\n| section | settings |\n| --- | --- |\n";
  for (const auto& section : sections) {
    std::string names;
    for (const auto& setting : settings()) {
      if (section_of(setting.path) != section) continue;
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ", short_name(setting.path));
    }
    page += fmt::format("| [{}](#{}) | {} |\n",
                        section.empty() ? heading(section) : fmt::format("`{}`", heading(section)),
                        anchor(heading(section)), names);
  }
  for (const auto& section : sections) {
    page += fmt::format("\n## {}\n", heading(section));
    for (const auto& setting : settings()) {
      if (section_of(setting.path) == section) page += "\n" + describe(setting);
    }
  }
  return page;
}

}  // namespace semel::config
