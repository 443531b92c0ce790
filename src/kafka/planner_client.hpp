// Asks Kafka what there is: topics, partitions, offsets. A client of its own, with nothing
// assigned, because a consuming client answers such questions half a second late.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/options.hpp"
#include "kafka/partial_offsets.hpp"

namespace semel::kafka {

/// What the subscribed topics are.
struct Discovery {
  std::vector<TopicPartition> partitions;  ///< sorted
  /// Topics that are there or may be, but whose partitions Kafka could not tell, and why: whatever
  /// was known of them still holds.
  std::map<std::string, Error> unclear;
  std::map<std::string, std::string> denied;  ///< topics that this login may not see, and why
};

/// Not thread safe; calls block up to `timeout_ms`. Errors carry Cause::source: `unavailable` where
/// waiting may help, `fatal` where somebody has to act (unknown topic, refused login, bad
/// property).
class PlannerClient {
 public:
  static Result<std::unique_ptr<PlannerClient>> connect(const Options& options,
                                                        const std::string& pipeline);
  ~PlannerClient();
  PlannerClient(const PlannerClient&) = delete;
  PlannerClient& operator=(const PlannerClient&) = delete;

  /// Every partition of the subscribed topics, sorted. With a topic list, a topic that does not
  /// exist is fatal and named; a pattern may match nothing. A partition without a leader is listed.
  /// An error where every topic is unclear. `known` topics are asked for by name where they are not
  /// listed, so that a topic that is denied is told from one that is gone; and one that is gone is
  /// no error.
  Result<Discovery> discover(int timeout_ms, const std::set<std::string>& known = {});

  Result<std::string> cluster_id(int timeout_ms);
  /// From here on another cluster that answers is an error of same_cluster(), which asks nobody.
  void expect_cluster(const std::string& id);
  Result<void> same_cluster() const;

  /// First offset that can be read. One request per leader. All partitions, or an error.
  Result<std::map<TopicPartition, Offset>> earliest(std::span<const TopicPartition> tps,
                                                    int timeout_ms);
  /// One past the last offset that can be read: the last stable offset under read_committed.
  Result<std::map<TopicPartition, Offset>> latest(std::span<const TopicPartition> tps,
                                                  int timeout_ms);
  /// The same, as far as it is answered; an error where nothing is.
  Result<PartialOffsets> known_earliest(std::span<const TopicPartition> tps, int timeout_ms);
  Result<PartialOffsets> known_latest(std::span<const TopicPartition> tps, int timeout_ms);
  /// Where `tps` begin, as far as it is answered; an error where nothing is. Other than
  /// `earliest`, it is resolved for all partitions of a topic or for none: one that is resolved
  /// later would begin later, or look new. For a timestamp, latest is asked first, so that "none"
  /// means the earlier latest. Offsets that are given are compared with the log: one past its end
  /// is fatal, and so is one below its beginning, unless that is `accepted`.
  Result<PartialOffsets> resolve_start(std::span<const TopicPartition> tps, const Start& start,
                                       BelowEarliest below, int timeout_ms);

  // Progress shown to Kafka's lag tools, where the options say so. Best effort: what keeps it from
  // working is a warning, once. Waits for the group's coordinator for a second or so where that
  // does not answer.
  void commit_group_offsets(const std::map<TopicPartition, Offset>& offsets);
  bool group_offsets_written() const;  ///< nothing is left to be written
  void finish_group_offsets(std::chrono::milliseconds at_most);

 private:
  struct Impl;
  explicit PlannerClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
