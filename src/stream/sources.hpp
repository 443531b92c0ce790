// What a pipeline reads, stage by stage.
#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <semel/types.hpp>

namespace semel::stream {

/// Topics that one stage reads: by name, or by pattern.
struct TopicSet {
  std::vector<std::string> names;
  std::string pattern;  ///< regular expression for the whole name; empty: none
};

/// The stages that read from Kafka, in the order in which they were made. Immutable once it runs;
/// then any thread.
class Sources {
 public:
  /// Its number.
  std::size_t add(TopicSet topics);
  /// The stages that read a topic: several may read the same one.
  std::vector<std::size_t> of(const std::string& topic) const;
  bool empty() const { return sets_.empty(); }
  /// Of all stages; where one has a pattern, all is one pattern.
  TopicSet together() const;

 private:
  std::vector<TopicSet> sets_;
  std::vector<std::regex> patterns_;  ///< of each; empty ones match nothing
};

}  // namespace semel::stream
