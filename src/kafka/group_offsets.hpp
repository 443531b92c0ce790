// Shows a pipeline's progress to Kafka's lag tools, as the offsets of a consumer group that nobody
// has joined.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>

#include <semel/types.hpp>

#include "kafka/client.hpp"

namespace semel::kafka {

/// Not thread safe. Best effort; what keeps it from working is a warning, once. A group that holds
/// offsets which were not written by this pipeline is left alone. Its client has a group id, and
/// calls on_commit().
class GroupOffsets {
 public:
  /// `pipeline` is the mark by which offsets are recognised as our own.
  GroupOffsets(Client& client, std::string group, std::string pipeline);

  /// Waits for the group's coordinator for a second or so, at the first call with a partition and
  /// seldom after it has not answered.
  void show(const std::map<TopicPartition, Offset>& offsets);

  /// Whether everything is written that will be.
  bool all_written() const { return left_alone_ || (wanted_.empty() && under_way_ == 0); }
  /// Whether librdkafka may still wait for the coordinator, and closing the client would too.
  bool waits() const { return unanswered_ || under_way_ > 0; }

  /// Waits until it is done, so long at most.
  void finish(std::chrono::milliseconds at_most);

  void on_commit(rd_kafka_resp_err_t code);

 private:
  using Clock = std::chrono::steady_clock;

  void look_whose();
  void write();
  void leave_alone(const std::string& why);

  Client& client_;
  std::string group_;
  std::string mark_;
  int under_way_ = 0;              ///< commits
  std::set<TopicPartition> ours_;  ///< partitions where the group held nothing of anybody else
  bool unanswered_ = false;
  bool left_alone_ = false;
  Clock::time_point look_again_;
  std::map<TopicPartition, Offset> wanted_;
};

}  // namespace semel::kafka
