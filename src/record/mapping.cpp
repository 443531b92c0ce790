#include "record/mapping.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace semel::record {
namespace {

tl::unexpected<Error> wrong(std::string_view written, std::string_view why) {
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("mapping \"{}\": {}", written, why));
}

constexpr std::pair<std::string_view, Part> kParts[] = {
    {"@topic", Part::topic}, {"@partition", Part::partition}, {"@offset", Part::offset},
    {"@key", Part::key},     {"@headers", Part::headers},     {"@timestamp", Part::timestamp},
    {"@value", Part::value}, {"@index", Part::index},
};

/// "name']" or "0]" after the bracket; an empty text where it is right, the reason where it is not.
std::string_view take_bracket(std::string_view& rest, std::vector<Step>& path) {
  if (rest.starts_with('\'') || rest.starts_with('"')) {
    const char quote = rest.front();
    std::string name;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == quote) {
        if (!rest.substr(i + 1).starts_with(']')) return "a quoted name must end with ]";
        rest.remove_prefix(i + 2);
        path.emplace_back(std::move(name));
        return {};
      }
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      name += rest[i];
    }
    return "a quoted name does not end";
  }
  std::size_t index = 0;
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  const auto length = static_cast<std::size_t>(stop - rest.data());
  if (error != std::errc{} || !rest.substr(length).starts_with(']')) {
    return "in brackets stands a number from 0, or a name in quotes";
  }
  rest.remove_prefix(length + 1);
  path.emplace_back(index);
  return {};
}

}  // namespace

Result<Mapping> parse_mapping(std::string_view written) {
  for (const auto& [name, part] : kParts) {
    if (written == name) return Mapping{.part = part};
  }
  constexpr std::string_view header = "@headers.";
  if (written.starts_with(header)) {
    const std::string_view name = written.substr(header.size());
    if (name.empty()) return wrong(written, "the header's name is missing");
    return Mapping{.part = Part::header, .header = std::string(name)};
  }
  constexpr std::string_view key = "@key";
  constexpr std::string_view value = "@value";
  const auto steps_behind = [&](std::string_view part) {
    return written.starts_with(part) && (written.substr(part.size()).starts_with('.') ||
                                         written.substr(part.size()).starts_with('['));
  };
  Mapping mapping;
  std::string_view rest;
  if (steps_behind(key)) {
    mapping.part = Part::key_path;
    rest = written.substr(key.size());
  } else if (steps_behind(value)) {
    mapping.part = Part::value_path;
    rest = written.substr(value.size());
  } else if (written.starts_with('$')) {
    rest = written.substr(1);
  } else {
    return wrong(written,
                 "write a path into the JSON value, as $.payload.id, or one of @topic, @partition, "
                 "@offset, @key, @key.NAME, @timestamp, @headers, @headers.NAME, @value");
  }
  const std::string root(written.substr(0, written.size() - rest.size()));
  while (!rest.empty()) {
    const char first = rest.front();
    rest.remove_prefix(1);
    if (first == '[') {
      const std::string_view why = take_bracket(rest, mapping.path);
      if (!why.empty()) return wrong(written, why);
    } else if (first == '.') {
      const std::string_view name = rest.substr(0, rest.find_first_of(".["));
      if (name.empty()) return wrong(written, "a name is missing after '.'");
      mapping.path.emplace_back(std::string(name));
      rest.remove_prefix(name.size());
    } else {
      return wrong(written, fmt::format("after {} comes .name or [...]", root));
    }
  }
  if (!mapping.path.empty() && std::holds_alternative<std::size_t>(mapping.path.front())) {
    return wrong(written, fmt::format("the {} is an object: the path begins with a member",
                                      mapping.part == Part::key_path ? "key" : "value"));
  }
  return mapping;
}

}  // namespace semel::record
