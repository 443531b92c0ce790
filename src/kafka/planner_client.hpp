// Asks Kafka what there is: topics, partitions, offsets. A client of its own, with nothing
// assigned, because a consuming client answers such questions half a second late.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

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
  /// exist is fatal and named; a pattern may match nothing. A topic whose metadata holds an error
  /// (no leader yet) still lists its partitions.
  Result<std::vector<TopicPartition>> discover(int timeout_ms);

  Result<std::string> cluster_id(int timeout_ms);

  /// First offset that can be read. One request per leader.
  Result<std::map<TopicPartition, Offset>> earliest(std::span<const TopicPartition> sources,
                                                    int timeout_ms);
  /// One past the last offset that can be read: the last stable offset under read_committed.
  Result<std::map<TopicPartition, Offset>> latest(std::span<const TopicPartition> sources,
                                                  int timeout_ms);
  /// First offset whose timestamp is at or after `ms`; absent from the map where there is none.
  Result<std::map<TopicPartition, Offset>> at_time(std::span<const TopicPartition> sources,
                                                   std::int64_t ms, int timeout_ms);

  /// `options.start` resolved for all of `sources`, or an error for all: never for some. For a
  /// timestamp, latest is asked first, so that "none" means the earlier latest.
  Result<std::map<TopicPartition, Offset>> resolve_start(std::span<const TopicPartition> sources,
                                                         const Start& start, int timeout_ms);

  /// Shows progress to Kafka's lag tools. Asynchronous, best effort: failures are only logged
  /// (debug).
  void commit_group_offsets(const std::map<TopicPartition, Offset>& offsets);

 private:
  struct Impl;
  explicit PlannerClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
