// Shows a pipeline's progress to Kafka's lag tools, as the offsets of a consumer group that nobody
// has joined.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>

#include <semel/types.hpp>

#include "kafka/client.hpp"

namespace semel::kafka {

/// Not thread safe. Asks and answers are asynchronous, by librdkafka's admin requests: a commit of
/// a consumer waits for the group's coordinator, and closing the consumer waits for the commit.
/// Best effort; what keeps it from working is a warning, once. A group that has members, or offsets
/// that were not written by this pipeline, is left alone.
class GroupOffsets {
 public:
  /// `pipeline` is the mark by which offsets are recognised as our own.
  GroupOffsets(Client& client, std::string group, std::string pipeline);
  GroupOffsets(const GroupOffsets&) = delete;
  GroupOffsets& operator=(const GroupOffsets&) = delete;
  /// Waits for what was asked, a second or two at most. The client must live longer.
  ~GroupOffsets();

  /// Looks whose group it is, so that what is shown first need not wait for that.
  void look_at(std::span<const TopicPartition> sources);

  /// The newest offsets are written as soon as those before them are. Never waits.
  void show(const std::map<TopicPartition, Offset>& offsets);

  /// Whether everything is written that will be.
  bool settled() const { return wanted_.empty() && sent_.empty(); }

  /// Waits for that, so long at most.
  void finish(std::chrono::milliseconds at_most);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Asked : std::uint8_t { whose, write };

  void go_on(int wait_ms);
  void ask_whose();
  void write();
  void on_answer(rd_kafka_event_t* event);
  void on_offsets(const rd_kafka_topic_partition_list_t& offsets);
  void on_written(const rd_kafka_topic_partition_list_t& offsets);
  void refused(rd_kafka_resp_err_t code);
  void leave_alone(const std::string& why);
  rd_kafka_queue_t* queue() const { return queue_.get(); }

  Client& client_;
  std::string group_;
  std::string mark_;
  QueueHandle queue_;
  std::optional<Asked> asked_;
  bool ours_ = false;
  bool left_alone_ = false;
  Clock::time_point not_before_;
  std::map<TopicPartition, Offset> looked_at_;
  std::map<TopicPartition, Offset> wanted_;
  std::map<TopicPartition, Offset> sent_;
};

}  // namespace semel::kafka
