#include "formats/json/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace semel::formats {
namespace {

using record::append_json_string;
using record::Kind;
using record::ObjectMembers;
using record::skip_json_space;
using record::Value;
using record::value_length;

/// The first character outside of strings that `is` accepts; none: npos.
template <class Is>
std::size_t find_outside_strings(std::string_view json, Is is) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') in_string = !in_string;
    if (in_string && json[i] == '\\') ++i;
    if (!in_string && is(json[i])) return i;
  }
  return std::string_view::npos;
}

std::string_view name_of(std::string_view rest) {
  switch (rest.front()) {
    case ',':
      return "a comma";
    case '/':
    case '#':
      return "a comment";
    case '{':
    case '[':
    case '"':
      return "another one; a record holds one";
    case '\0':
      return "a NUL character";
    default:
      return "nothing may";
  }
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool is_plain(std::string_view name) {
  return name.find_first_of(".[]'\"\\ ") == std::string_view::npos && !name.empty();
}

/// As parse_mapping() reads it.
std::string step_to(std::string_view name) {
  if (is_plain(name)) return fmt::format(".{}", name);
  std::string step = "['";
  for (const char c : name) {
    if (c == '\'' || c == '\\') step += '\\';
    step += c;
  }
  return step + "']";
}

/// What is shown of names: they are the producer's.
std::string shown(std::string_view name) {
  constexpr std::size_t most = 60;
  std::string text;
  append_json_string(text, name.substr(0, std::min(name.size(), most)));
  return text;
}

/// Envelopes are two levels deep at most (Connect's around Debezium's), with one to spare.
constexpr int kEnvelopes = 3;

/// "$.payload.after": the object nearest to the top that has a member with a column.
std::optional<std::string> find_members(std::string_view object, const std::string& path,
                                        std::span<const std::string> columns, int depth) {
  std::string name;
  std::string scratch;
  Value value;
  for (ObjectMembers members(object); members.next(name, value, scratch);) {
    if (std::ranges::find(columns, name) != columns.end()) return path;
  }
  if (depth == kEnvelopes) return std::nullopt;
  for (ObjectMembers members(object); members.next(name, value, scratch);) {
    if (value.kind != Kind::nested || value.json.front() != '{') continue;
    if (auto found = find_members(value.json, path + step_to(name), columns, depth + 1)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string why_not_an_object(std::string_view value, std::string_view error,
                              const record::JsonCheck& is_json) {
  constexpr std::size_t frame = 5;  // a zero byte, and a schema's number
  if (value.size() > frame && value.front() == '\0') {
    return "the value begins with a zero byte, as a schema registry's frame does (Avro, Protobuf, "
           "JSON Schema): it is not plain JSON";
  }
  const auto json = skip_json_space(value);
  if (json.empty() || json.front() != '{') return std::string(error);
  const auto length = value_length(json);
  const auto rest = skip_json_space(json.substr(length));
  if (!rest.empty() && is_json(json.substr(0, length))) {
    return fmt::format("something follows the JSON value: {}", name_of(rest));
  }
  if (find_outside_strings(json, [](char c) { return c == '/'; }) != std::string_view::npos) {
    return fmt::format("{}; JSON has no comments", error);
  }
  return std::string(error);
}

bool is_empty_object(std::string_view object) {
  return skip_json_space(skip_json_space(object).substr(1)).starts_with('}');
}

std::string why_no_column(std::string_view document, std::span<const std::string> columns,
                          std::string_view setting) {
  const auto object = skip_json_space(document);
  std::string why = "no column's value is in the record";
  if (const auto path = find_members(object, "$", columns, 0); path && *path != "$") {
    return fmt::format(
        "{}: it is an envelope, names of columns are inside of {}. Map columns as "
        "{}.NAME, or let the producer send what is in it",
        why, *path, *path);
  }
  std::string first;
  std::string name;
  std::string scratch;
  Value value;
  for (ObjectMembers members(object); members.next(name, value, scratch);) {
    if (first.empty()) first = shown(name);
    const auto column = std::ranges::find_if(
        columns, [&](const std::string& c) { return same_but_for_case(c, name); });
    if (column != columns.end()) {
      return fmt::format(
          "{}: its member {} is not column {}, case counts. Map it in {}, or rename one of them, "
          "or "
          "set names = \"ignore_case\"",
          why, shown(name), shown(*column), setting);
    }
  }
  return fmt::format("{}: none of its members is mapped or has a column's name, beginning with {}",
                     why, first);
}

}  // namespace semel::formats
