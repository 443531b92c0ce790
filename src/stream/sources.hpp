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

/// Topics that one stage reads: by name, by pattern, or some partitions of theirs.
struct TopicSet {
  std::vector<std::string> names{};
  std::string pattern{};                  ///< regular expression for the whole name; empty: none
  std::set<TopicPartition> partitions{};  ///< of these only
};

/// The stages that read, in the order in which they were made. A topic whose name begins with + is
/// a log of this machine. Immutable once it runs; then any thread.
class Sources {
 public:
  /// Its number.
  std::size_t add(TopicSet topics);
  /// The stages that read a partition: several may read the same one.
  std::vector<std::size_t> of(const TopicPartition& tp) const;
  /// What all stages read of Kafka; where one has a pattern, all is one pattern. `partitions`: of
  /// these topics nothing else is wanted.
  TopicSet together() const;

 private:
  static bool names(const TopicSet& set, const std::regex& pattern, const std::string& topic);

  std::vector<TopicSet> sets_;
  std::vector<std::regex> patterns_;  ///< of each; empty ones match nothing
};

}  // namespace semel::stream
