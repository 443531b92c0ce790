#include "record/route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>
#include <utility>

namespace semel::record {
namespace {

/// A name in pieces: `on_text` is told what stands there as it is, `on_group` the numbers. False
/// where a brace is neither.
template <class OnText, class OnGroup>
bool walk_name(std::string_view name, OnText on_text, OnGroup on_group) {
  while (!name.empty()) {
    const auto brace = name.find_first_of("{}");
    on_text(name.substr(0, brace));
    if (brace == std::string_view::npos) return true;
    name.remove_prefix(brace);
    if (name.size() > 1 && name[1] == name[0]) {
      on_text(name.substr(0, 1));
      name.remove_prefix(2);
      continue;
    }
    std::size_t number = 0;
    const auto* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + 1, end, number);
    if (name[0] != '{' || error != std::errc{} || stop == end || *stop != '}') return false;
    on_group(number);
    name.remove_prefix(static_cast<std::size_t>(stop - name.data()) + 1);
  }
  return true;
}

}  // namespace

Result<RouteReader> RouteReader::make(const std::string& from, const Format& format,
                                      const Format* keys, std::string setting) {
  auto mapping = parse_mapping(from);
  if (!mapping) return tl::unexpected(mapping.error());
  // A record without a value goes where it says, too.
  Policy policy;
  policy.tombstones = Tombstones::remove;
  auto reader = Reader::make(
      {{.name = "route", .holds = Holds::text, .mapping = *std::move(mapping), .written = from}},
      policy, format, std::move(setting), keys);
  if (!reader) return tl::unexpected(reader.error());
  return RouteReader(*std::move(reader));
}

RouteReader::Said RouteReader::read(const TopicPartition& tp, const Record& record) {
  const auto read = reader_.read(tp, record);
  if (read.fate == Fate::unavailable) return {.fate = Fate::unavailable};
  if (read.fate == Fate::bad) {
    if (reader_.bad().fault == Fault::nothing_found) return {};
    return {.fate = Fate::bad};
  }
  const Value& value = reader_.values().front();
  const bool nothing = value.kind == Kind::absent || value.kind == Kind::null;
  // Neither does a list, nor bytes that are no text.
  if (nothing || value.kind == Kind::nested || value.flaw != Flaw::none) return {};
  return {.value = value.text};
}

std::optional<std::size_t> highest_group(std::string_view name) {
  std::optional<std::size_t> highest;
  walk_name(
      name, [](std::string_view) {},
      [&](std::size_t number) { highest = std::max(highest.value_or(0), number); });
  return highest;
}

bool has_groups(std::string_view name) {
  return highest_group(name).has_value();
}

std::string groups_mistake(std::string_view name) {
  return walk_name(
             name, [](std::string_view) {}, [](std::size_t) {})
             ? std::string()
             : "has a brace that is none of {0}, {1} …: write it twice where the name has one";
}

std::string fill_groups(std::string_view name, std::span<const std::string> groups) {
  std::string filled;
  walk_name(
      name, [&](std::string_view text) { filled += text; },
      [&](std::size_t number) {
        if (number < groups.size()) filled += groups[number];
      });
  return filled;
}

std::vector<std::string> groups_of(const std::string& said, const std::string& pattern) {
  std::vector<std::string> groups{said};
  std::smatch match;
  if (!pattern.empty() &&
      std::regex_match(said, match, std::regex(pattern, std::regex::ECMAScript))) {
    for (std::size_t i = 1; i < match.size(); ++i) groups.push_back(match[i].str());
  }
  return groups;
}

std::size_t groups_in(const std::string& pattern) {
  return std::regex(pattern, std::regex::ECMAScript).mark_count();
}

}  // namespace semel::record
