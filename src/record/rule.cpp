#include "record/rule.hpp"

#include <fmt/format.h>

#include "record/json_text.hpp"

namespace semel::record {
namespace {

/// As a string of TOML.
std::string toml_text(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  // The one character that JSON does not mind.
  for (auto at = quoted.find('\x7f'); at != std::string::npos; at = quoted.find('\x7f', at)) {
    quoted.replace(at, 1, "\\u007F");
  }
  return quoted;
}

void add_part(std::string& out, std::string_view part) {
  if (!out.empty()) out += ", ";
  out += part;
}

/// All but where it comes from.
std::string made_of(const ColumnRule& rule) {
  std::string out;
  const auto add = [&](std::string_view name, const std::string& value) {
    add_part(out, fmt::format("{} = {}", name, value));
  };
  if (rule.unit != Unit::none) add("unit", toml_text(name_of(rule.unit)));
  if (!rule.format.empty()) add("format", toml_text(rule.format));
  if (rule.encoding != Encoding::none) add("encoding", toml_text(name_of(rule.encoding)));
  if (rule.parse_json) add("parse", "\"json\"");
  if (rule.empty_is_null) add("empty", "\"null\"");
  if (rule.null_is_absent) add("null", "\"default\"");
  if (rule.nul) add("nul", *rule.nul == Nul::strip ? "\"strip\"" : "\"dead_letter\"");
  if (rule.if_absent) add("default", rule.if_absent->written());
  return out;
}

}  // namespace

Value Constant::value() const {
  Value made{.kind = kind, .text = text};
  // A string's JSON is made where it is needed.
  if (kind != Kind::string) made.json = text;
  return made;
}

std::string Constant::written() const {
  return kind == Kind::string ? toml_text(text) : text;
}

bool ColumnRule::is_path() const {
  return from.size() == 1 && *this == ColumnRule(from.front());
}

std::string to_string(const ColumnRule& rule) {
  if (rule.is_path()) return rule.from.front();
  std::string out;
  if (rule.from.size() == 1) out = "from = " + toml_text(rule.from.front());
  if (rule.from.size() > 1) {
    std::string list;
    for (const auto& path : rule.from) add_part(list, toml_text(path));
    out = fmt::format("from = [{}]", list);
  }
  if (rule.constant) add_part(out, "value = " + rule.constant->written());
  const auto made = made_of(rule);
  if (!made.empty()) add_part(out, made);
  return fmt::format("{{ {} }}", out);
}

std::string source_of(const ColumnRule& rule) {
  if (rule.constant) return "the constant " + rule.constant->written();
  std::string out;
  for (const auto& path : rule.from) out += (out.empty() ? "" : " or ") + path;
  return out;
}

std::string told_of(const ColumnRule& rule) {
  const auto made = made_of(rule);
  return made.empty() ? made : ", " + made;
}

std::string_view name_of(Unit unit) {
  switch (unit) {
    case Unit::none:
      break;
    case Unit::seconds:
      return "s";
    case Unit::milliseconds:
      return "ms";
    case Unit::microseconds:
      return "us";
    case Unit::nanoseconds:
      return "ns";
    case Unit::days:
      return "days";
  }
  return "";
}

std::string_view name_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::none:
      break;
    case Encoding::base64:
      return "base64";
    case Encoding::hex:
      return "hex";
  }
  return "";
}

}  // namespace semel::record
