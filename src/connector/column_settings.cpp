#include "connector/column_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "config/complaint.hpp"
#include "config/nearest.hpp"
#include "record/time_format.hpp"

namespace semel {

using config::Value;
using config::Wrong;
using record::ColumnRule;
using record::Constant;
using record::Encoding;
using record::Nul;
using record::Unit;

namespace {

using Take = Wrong (*)(const Value&, ColumnRule&);

Wrong wants(const Value& value, const std::string& expected) {
  return config::wrong(value, fmt::format("must be {}, not {}", expected, config::kind_of(value)));
}

/// One of a few words; `set` gets its place among them.
template <class Set>
Wrong take_word(const Value& value, std::initializer_list<std::string_view> words, Set set) {
  std::string all;
  std::size_t at = 0;
  for (const auto word : words) {
    all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", word);
    const auto* given = config::text_of(value);
    if (given != nullptr && *given == word) {
      set(at);
      return std::nullopt;
    }
    ++at;
  }
  return config::wrong(value, fmt::format("must be {}{}", words.size() > 1 ? "one of " : "", all));
}

Wrong take_from(const Value& value, ColumnRule& rule) {
  if (const auto* path = config::text_of(value)) {
    rule.from = {*path};
    return std::nullopt;
  }
  const auto* list = value.as<Value::List>();
  if (list == nullptr || list->empty()) return wants(value, "a path, or a list of paths");
  for (const auto& one : *list) {
    const auto* path = config::text_of(one);
    if (path == nullptr) return wants(one, "a list of paths");
    rule.from.push_back(*path);
  }
  return std::nullopt;
}

Wrong take_constant(const Value& value, std::optional<Constant>& into) {
  if (const auto* text = config::text_of(value)) {
    into = Constant{record::Kind::string, *text};
  } else if (const auto* integer = value.as<std::int64_t>()) {
    into = Constant{record::Kind::number, std::to_string(*integer)};
  } else if (const auto* boolean = value.as<bool>()) {
    into = Constant{record::Kind::boolean, *boolean ? "true" : "false"};
  } else if (const auto* number = value.as<double>(); number != nullptr && std::isfinite(*number)) {
    into = Constant{record::Kind::number, fmt::format("{}", *number)};
  } else {
    return wants(value, "a string, a number or a boolean");
  }
  return std::nullopt;
}

Wrong take_format(const Value& value, ColumnRule& rule) {
  const auto* format = config::text_of(value);
  if (format == nullptr) return wants(value, "a string such as \"%d/%m/%Y\"");
  if (auto parsed = record::TimeFormat::parse(*format); !parsed) {
    return config::wrong(value, "cannot be read: " + parsed.error().message);
  }
  rule.format = *format;
  return std::nullopt;
}

const std::array<std::pair<std::string_view, Take>, 10> kKeys{{
    {"from", take_from},
    {"value",
     [](const Value& value, ColumnRule& rule) { return take_constant(value, rule.constant); }},
    {"unit",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"s", "ms", "us", "ns", "days"},
                        [&](std::size_t at) { rule.unit = static_cast<Unit>(at + 1); });
     }},
    {"format", take_format},
    {"encoding",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"base64", "hex"},
                        [&](std::size_t at) { rule.encoding = static_cast<Encoding>(at + 1); });
     }},
    {"parse",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"json"}, [&](std::size_t) { rule.parse_json = true; });
     }},
    {"empty",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"null"}, [&](std::size_t) { rule.empty_is_null = true; });
     }},
    {"null",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"default"}, [&](std::size_t) { rule.null_is_absent = true; });
     }},
    {"nul",
     [](const Value& value, ColumnRule& rule) {
       return take_word(value, {"dead_letter", "strip"},
                        [&](std::size_t at) { rule.nul = at == 0 ? Nul::bad : Nul::strip; });
     }},
    {"default",
     [](const Value& value, ColumnRule& rule) { return take_constant(value, rule.if_absent); }},
}};

std::string no_such_key(const std::string& key) {
  std::string_view best;
  int best_distance = 3;
  std::string all;
  for (const auto& [name, take] : kKeys) {
    all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
    const int distance = config::edit_distance(key, std::string(name));
    if (distance >= best_distance) continue;
    best = name;
    best_distance = distance;
  }
  const auto hint =
      best.empty() ? fmt::format("There are {}; a column whose name has dots stands in quotes", all)
                   : fmt::format("Did you mean {}?", best);
  return fmt::format("the unknown key {}. {}", config::one_line(key), hint);
}

/// What no key can know alone.
std::string conflict_of(const ColumnRule& rule) {
  const int makes = (rule.unit != Unit::none ? 1 : 0) + (rule.format.empty() ? 0 : 1) +
                    (rule.encoding != Encoding::none ? 1 : 0) + (rule.parse_json ? 1 : 0);
  if (makes > 1) return "several of unit, format, encoding and parse: there can be one";
  if (!rule.constant) return "";
  auto alone = ColumnRule();
  alone.constant = rule.constant;
  return rule == alone ? "" : "a constant value, and something beside it: it goes alone";
}

Wrong take_rule(const Value& value, const std::string& column, ColumnRule& rule) {
  if (const auto* path = config::text_of(value)) {
    rule = ColumnRule(*path);
    return std::nullopt;
  }
  const auto named = [&](const std::string& what) {
    return fmt::format("has for {} {}", config::key_text(column), what);
  };
  const auto* table = value.as<Value::Table>();
  if (table == nullptr) {
    return config::wrong(value, fmt::format("must hold paths or tables, but {} is {}", column,
                                            config::kind_of(value)));
  }
  for (const auto& [key, part] : *table) {
    const auto* known = std::ranges::find(kKeys, key, [](const auto& one) { return one.first; });
    if (known == kKeys.end()) return config::wrong(part, named(no_such_key(key)));
    if (auto problem = known->second(part, rule)) {
      problem->text = named(fmt::format("a {} that {}", key, problem->text));
      return problem;
    }
  }
  if (auto conflict = conflict_of(rule); !conflict.empty()) {
    return config::wrong(value, named(conflict));
  }
  return std::nullopt;
}

/// For load(), which fills in ${NAME}.
std::string escaped(std::string text) {
  for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 3)) {
    text.insert(at, "$");
  }
  return text;
}

}  // namespace

config::Binding column_rules(const config::Field<record::ColumnRules>& field) {
  return {.type = "table",
          .open_table = true,
          .assign = [field](config::Part& part, const Value& value) -> Wrong {
            const auto read = config::reread(value);
            const auto* table = read.as<Value::Table>();
            if (table == nullptr) return config::wrong_type(value, "a table");
            record::ColumnRules rules;
            for (const auto& [column, one] : *table) {
              if (auto problem = take_rule(one, column, rules[column])) return problem;
            }
            field(part) = std::move(rules);
            return std::nullopt;
          },
          .show = [field](config::Part& part) -> std::string {
            std::string out;
            for (const auto& [column, rule] : field(part)) {
              const auto shown = rule.is_path() ? config::quoted_setting(rule.from.front())
                                                : escaped(record::to_string(rule));
              out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", config::key_text(column),
                                 shown);
            }
            return out.empty() ? "" : fmt::format("{{ {} }}", out);
          }};
}

}  // namespace semel
