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

std::vector<std::size_t> Sources::of(const TopicPartition& tp) const {
  std::vector<std::size_t> stages;
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const auto& set = sets_[i];
    if (set.partitions.count(tp) != 0 || names(set, patterns_[i], tp.topic)) stages.push_back(i);
  }
  return stages;
}

bool Sources::names(const TopicSet& set, const std::regex& pattern, const std::string& topic) {
  return std::ranges::find(set.names, topic) != set.names.end() ||
         (!set.pattern.empty() && std::regex_match(topic, pattern));
}

TopicSet Sources::together() const {
  TopicSet all;
  std::set<std::string> named;
  std::string pattern;
  for (const auto& set : sets_) {
    for (const auto& name : set.names) {
      if (!name.starts_with('+')) named.insert(name);
    }
    for (const auto& tp : set.partitions) {
      named.insert(tp.topic);
      all.partitions.insert(tp);
    }
    if (set.pattern.empty()) continue;
    pattern += fmt::format("{}(?:{})", pattern.empty() ? "" : "|", set.pattern);
  }
  // Whoever reads a topic whole reads partitions that others name, too.
  std::erase_if(all.partitions, [this](const TopicPartition& tp) {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (names(sets_[i], patterns_[i], tp.topic)) return true;
    }
    return false;
  });
  if (pattern.empty()) {
    all.names.assign(named.begin(), named.end());
  } else {
    for (const auto& name : named) pattern += "|" + literally(name);
    all.pattern = std::move(pattern);
  }
  return all;
}

}  // namespace semel::stream
