#include "config/load.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace semel::config {

namespace {

/// One line for each problem, whatever the keys and texts hold that it quotes.
std::string line_of(const Problem& problem) {
  return one_line(fmt::format("{}: {}", to_string(problem.place), problem.text));
}

/// Where the entry of a table whose keys may have dots in them stands; of the table, where it is
/// not known more exactly.
Place place_below(const Value& value, std::string_view path) {
  const auto* table = value.as<Value::Table>();
  if (table == nullptr) return value.place;
  for (const auto& [key, entry] : *table) {
    if (path == key) return entry.place;
    if (path.starts_with(key) && path.substr(key.size()).starts_with('.')) {
      return place_below(entry, path.substr(key.size() + 1));
    }
  }
  return value.place;
}

std::string above(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

bool probably_meant(const Document& document, std::string path) {
  for (; !path.empty(); path = above(path)) {
    if (std::ranges::find(document.probably_meant, path) != document.probably_meant.end()) {
      return true;
    }
  }
  return false;
}

class Loader {
 public:
  Loader(const Schema& schema, std::string name, Document document,
         const std::set<std::string>& needless)
      : schema_(schema),
        name_(std::move(name)),
        document_(std::move(document)),
        needless_(needless) {
    for (const auto& section : schema.sections()) parts_.push_back(section.defaults);
  }

  Result<Loaded> load() {
    for (const auto& [setting, value] : document_.values) {
      auto& part = parts_[schema_.section_of(*setting)];
      if (auto problem = setting->binding.assign(part, value)) {
        problem->text = setting->path + " " + problem->text;
        document_.problems.push_back(*std::move(problem));
      }
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& section = schema_.sections()[i];
      if (!section.check || !wanted(section)) continue;
      Whole whole(schema_, document_, name_, section.path);
      section.check(parts_[i], whole);
    }
    // The order of the file; what the command line says comes last.
    std::stable_sort(document_.problems.begin(), document_.problems.end(),
                     [](const Problem& a, const Problem& b) {
                       return std::pair(a.place.line - 1, a.place.column) <
                              std::pair(b.place.line - 1, b.place.column);
                     });
    find_missing();
    if (document_.problems.empty()) return Loaded{std::move(parts_), document_.sections};
    std::string message;
    for (const auto& problem : document_.problems) {
      if (!message.empty()) message += '\n';
      message += line_of(problem);
    }
    return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
  }

 private:
  bool wanted(const Section& section) const {
    return !section.optional || document_.sections.contains(section.path);
  }

  bool given(const std::string& path) const {
    return document_.values.contains(schema_.find(path));
  }

  void find_missing() {
    for (const auto& setting : schema_.settings()) {
      const auto& section = schema_.sections()[schema_.section_of(setting)];
      if (!wanted(section)) continue;
      const auto among = above(setting.path);
      const bool one_of_some =
          !setting.required_unless.empty() &&
          std::ranges::none_of(setting.required_unless, [&](const std::string& other) {
            return given(among + "." + other);
          });
      if (!(setting.required || one_of_some) || given(setting.path)) continue;
      if (needless_.contains(setting.path)) continue;
      if (needless_.contains(among) && !document_.sections.contains(among)) continue;
      if (probably_meant(document_, setting.path)) continue;
      document_.problems.push_back(
          {{name_},
           fmt::format("{} is missing: add the line  {} = {}  {}", setting.path,
                       setting.path.substr(setting.path.rfind('.') + 1),
                       setting.missing.empty() ? setting.example : setting.missing,
                       among.empty() ? std::string("at the top of the file")
                                     : fmt::format("in [{}]", among))});
    }
  }

  const Schema& schema_;
  std::string name_;
  Document document_;
  const std::set<std::string>& needless_;
  Parts parts_;
};

}  // namespace

std::string Whole::whole(const std::string& setting) const {
  return section_.empty() ? setting : section_ + "." + setting;
}

const Value* Whole::given(const std::string& setting) const {
  const auto found = document_.values.find(schema_.find(whole(setting)));
  return found == document_.values.end() ? nullptr : &found->second;
}

bool Whole::has_section(const std::string& path) const {
  return document_.sections.contains(path);
}

void Whole::problem(const std::string& setting, const std::string& text) {
  const auto* value = given(setting);
  document_.problems.push_back(
      {value != nullptr ? value->place : Place{name_}, whole(setting) + " " + text});
}

void Whole::problem_in(const std::string& setting, std::string_view key, std::string text) {
  const auto* value = given(setting);
  document_.problems.push_back(
      {value != nullptr ? place_below(*value, key) : Place{name_}, std::move(text)});
}

void Whole::missing(const std::string& meant, std::string text) {
  const bool was_meant = std::ranges::any_of(document_.probably_meant, [&](const auto& path) {
    return path == meant || path.starts_with(meant + ".");
  });
  if (!was_meant) document_.problems.push_back({{name_}, std::move(text)});
}

Result<Loaded> load(const Schema& schema, const std::string& text, const std::string& name,
                    const std::vector<Override>& overrides, const std::set<std::string>& given,
                    const std::set<std::string>& needless) {
  auto document = read_document(schema, text, name, overrides);
  document.sections.insert(given.begin(), given.end());
  // Nothing was read where the TOML is broken: what is missing is not known then.
  if (document.broken) {
    const auto& problem = document.problems.front();
    return fail(ErrorKind::fatal, Cause::configuration, line_of(problem));
  }
  return Loader(schema, name, std::move(document), needless).load();
}

Result<std::string> read_file(const std::string& path) {
  const auto unreadable = [&](const std::string& why) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("cannot read the configuration {}: {}. `semel --help` shows one that is "
                    "complete",
                    path, why));
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable(std::generic_category().message(errno));
  std::ostringstream text;
  // A directory opens, but cannot be read; an empty file sets failbit and is fine.
  errno = 0;
  text << file.rdbuf();
  if (file.bad() || errno != 0) return unreadable(std::generic_category().message(errno));
  return text.str();
}

}  // namespace semel::config
