// Bindings whose values are tables: properties, columns.
#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "config/complaint.hpp"
#include "config/nearest.hpp"
#include "config/setting.hpp"

namespace semel::config {

namespace {

/// Texts, numbers and booleans below `value`, with dotted keys.
Wrong flatten(const Value::Table& table, const std::string& prefix,
              std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : table) {
    const auto name = prefix + key;
    if (value.loose) {
      out[name] = value.text;
    } else if (const auto* text = value.as<std::string>()) {
      out[name] = *text;
    } else if (const auto* integer = value.as<std::int64_t>()) {
      out[name] = std::to_string(*integer);
    } else if (const auto* number = value.as<double>()) {
      out[name] = fmt::format("{}", *number);
    } else if (const auto* boolean = value.as<bool>()) {
      out[name] = *boolean ? "true" : "false";
    } else if (const auto* below = value.as<Value::Table>()) {
      if (auto problem = flatten(*below, name + ".", out)) return problem;
    } else {
      return wrong(value, fmt::format("must hold strings, numbers or booleans, but {} is {}", name,
                                      kind_of(value)));
    }
  }
  return std::nullopt;
}

const Setting* setting_at(const std::vector<Setting>& settings, const std::string& path) {
  const auto found = std::ranges::find(settings, path, &Setting::path);
  return found == settings.end() ? nullptr : &*found;
}

/// What one of the settings is called that `path` was probably meant for.
std::string meant(const std::vector<Setting>& settings, const std::string& path) {
  constexpr int near = 3;
  const Setting* best = nullptr;
  int distance = near;
  for (const auto& setting : settings) {
    const int edits = edit_distance(path, setting.path);
    if (edits >= distance) continue;
    distance = edits;
    best = &setting;
  }
  return best == nullptr ? std::string() : fmt::format(". Did you mean {}?", best->path);
}

/// Into `element`, with what is wrong called by `name`: "[1]".
Wrong read_settings(const TableList& list, const Value::Table& table, const std::string& prefix,
                    const std::string& name, Part& element, std::set<std::string>& given) {
  for (const auto& [key, value] : table) {
    const auto path = prefix + key;
    if (const auto* setting = setting_at(list.settings, path)) {
      given.insert(path);
      if (auto problem = setting->binding.assign(element, value)) {
        problem->text = fmt::format("{}: {} {}", name, path, problem->text);
        return problem;
      }
      continue;
    }
    const bool above = std::ranges::any_of(
        list.settings, [&](const Setting& other) { return other.path.starts_with(path + "."); });
    const auto* below = value.as<Value::Table>();
    if (!above || below == nullptr) {
      return wrong(value, fmt::format("{}: {} is no setting of it{}", name, path,
                                      meant(list.settings, path)));
    }
    if (auto problem = read_settings(list, *below, path + ".", name, element, given)) {
      return problem;
    }
  }
  return std::nullopt;
}

}  // namespace

Binding table_list_of(TableList list) {
  const auto shared = std::make_shared<const TableList>(std::move(list));
  return {.type = "list of tables",
          .assign = [shared](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            const auto* items = read.as<Value::List>();
            if (items != nullptr && items->empty()) return wrong(value, "must not be empty");
            if (items == nullptr) {
              return wrong_type(value, "a list of tables: [[…]] on a line of its own, for each");
            }
            shared->clear(part);
            for (std::size_t i = 0; i < items->size(); ++i) {
              const auto name = fmt::format("[{}]", i + 1);
              const auto* table = (*items)[i].as<Value::Table>();
              if (table == nullptr) {
                return wrong((*items)[i], fmt::format("must be a list of tables; {} is {}", name,
                                                      kind_of((*items)[i])));
              }
              auto element = shared->defaults;
              std::set<std::string> given;
              if (auto problem = read_settings(*shared, *table, "", name, element, given)) {
                return problem;
              }
              for (const auto& setting : shared->settings) {
                const bool one_is_there =
                    given.contains(setting.path) ||
                    std::ranges::any_of(setting.required_unless, [&](const std::string& other) {
                      return given.contains(other);
                    });
                if (one_is_there || (!setting.required && setting.required_unless.empty()))
                  continue;
                return wrong((*items)[i],
                             fmt::format("{}: {} is missing: add the line  {} = {}", name,
                                         setting.path, setting.path, setting.example));
              }
              shared->add(part, element);
            }
            return std::nullopt;
          },
          .show = [shared](Part& part) -> std::string {
            std::string out;
            for (auto& element : shared->elements(part)) {
              std::string one;
              for (const auto& setting : shared->settings) {
                auto usual = shared->defaults;
                const auto shown = setting.binding.show(element);
                if (shown.empty() || shown == setting.binding.show(usual)) continue;
                one += fmt::format("{}{} = {}", one.empty() ? "" : ", ", setting.path, shown);
              }
              out += fmt::format("{}{{ {} }}", out.empty() ? "" : ", ", one);
            }
            return out.empty() ? "" : fmt::format("[{}]", out);
          }};
}

Binding text_table(
    const Field<std::map<std::string, std::string>>& field,
    const std::function<std::string(const std::string&, const std::string&)>& mask_entry) {
  return {.type = "table",
          .open_table = true,
          .assign = [field](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            const auto* table = read.as<Value::Table>();
            if (table == nullptr) return wrong_type(value, "a table");
            std::map<std::string, std::string> entries;
            if (auto problem = flatten(*table, "", entries)) return problem;
            field(part) = std::move(entries);
            return std::nullopt;
          },
          .show = [field, mask_entry](Part& part) -> std::string {
            std::string out;
            for (const auto& [key, entry] : field(part)) {
              out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", key_text(key),
                                 quoted_setting(mask_entry ? mask_entry(key, entry) : entry));
            }
            return out.empty() ? "" : fmt::format("{{ {} }}", out);
          }};
}

}  // namespace semel::config
