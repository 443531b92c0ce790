#include "stream/sources.hpp"

#include <fmt/format.h>
#include <algorithm>

#include <semel/failed.hpp>

namespace semel::stream {

namespace {

/// A name as a pattern that only it matches. Of what topics' names may have, only the dot means
/// something else.
std::string literally(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    if (c == '.') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace

std::size_t Sources::add(TopicSet topics) {
  try {
    patterns_.emplace_back(topics.pattern, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw Failed({ErrorKind::fatal, Cause::configuration,
                  fmt::format("{} is no regular expression: {}", topics.pattern, error.what())});
  }
  sets_.push_back(std::move(topics));
  return sets_.size() - 1;
}

std::vector<std::size_t> Sources::of(const std::string& topic) const {
  std::vector<std::size_t> stages;
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const auto& set = sets_[i];
    if (std::ranges::find(set.names, topic) != set.names.end() ||
        (!set.pattern.empty() && std::regex_match(topic, patterns_[i]))) {
      stages.push_back(i);
    }
  }
  return stages;
}

TopicSet Sources::together() const {
  std::set<std::string> names;
  std::string pattern;
  for (const auto& set : sets_) {
    names.insert(set.names.begin(), set.names.end());
    if (set.pattern.empty()) continue;
    pattern += fmt::format("{}(?:{})", pattern.empty() ? "" : "|", set.pattern);
  }
  TopicSet all;
  if (pattern.empty()) {
    all.names.assign(names.begin(), names.end());
  } else {
    for (const auto& name : names) pattern += "|" + literally(name);
    all.pattern = std::move(pattern);
  }
  return all;
}

}  // namespace semel::stream
