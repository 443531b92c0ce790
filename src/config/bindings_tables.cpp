// Bindings whose values are tables: properties, columns.
#include <fmt/format.h>

#include "config/complaint.hpp"
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

}  // namespace

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
