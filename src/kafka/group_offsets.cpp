#include "kafka/group_offsets.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <thread>
#include <utility>

namespace semel::kafka {

namespace {

constexpr int coordinator_timeout_ms = 1'500;
constexpr auto look_again_after = std::chrono::seconds(30);
constexpr auto poll_interval = std::chrono::milliseconds(10);

PartitionListHandle list_of(const std::map<TopicPartition, Offset>& offsets,
                            const std::string& mark) {
  PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
  for (const auto& [tp, offset] : offsets) {
    auto* element = rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition);
    element->offset = offset;
    if (mark.empty()) continue;
    // librdkafka frees it with the list.
    element->metadata = strdup(mark.c_str());
    element->metadata_size = mark.size();
  }
  return list;
}

}  // namespace

// The mark is stored: do not change. By it offsets are known as this pipeline's.
GroupOffsets::GroupOffsets(Client& client, std::string group, std::string pipeline)
    : client_(client), group_(std::move(group)), mark_("semel " + std::move(pipeline)) {}

void GroupOffsets::show(const std::map<TopicPartition, Offset>& offsets) {
  client_.poll();
  if (left_alone_) return;
  for (const auto& [tp, offset] : offsets) wanted_[tp] = offset;
  if (wanted_.empty()) return;
  if (Clock::now() >= look_again_) look_whose();
  if (under_way_ == 0) write();
}

void GroupOffsets::finish(std::chrono::milliseconds at_most) {
  const auto give_up = Clock::now() + at_most;
  while (!ours_.empty() && !unanswered_ && !all_written() && Clock::now() < give_up) {
    show({});
    std::this_thread::sleep_for(poll_interval);
  }
}

void GroupOffsets::look_whose() {
  std::map<TopicPartition, Offset> unknown;
  std::ranges::copy_if(wanted_, std::inserter(unknown, unknown.end()),
                       [this](const auto& wanted) { return !ours_.contains(wanted.first); });
  if (unknown.empty()) return;
  const auto list = list_of(unknown, {});
  const auto code = rd_kafka_committed(client_.get(), list.get(), coordinator_timeout_ms);
  if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    unanswered_ = true;
    return leave_alone("this login lacks the right to read it");
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    look_again_ = Clock::now() + look_again_after;
    if (std::exchange(unanswered_, true)) return;
    client_.log().warn(
        "Kafka's lag tools do not see this pipeline's progress: consumer group {} cannot be used "
        "({}): "
        "its coordinator does not answer, or this login lacks the right to read the group. Trying "
        "again now and then; with commit_group_offsets = false nothing is shown",
        group_, rd_kafka_err2str(code));
    return;
  }
  for (int i = 0; i < list->cnt; ++i) {
    const auto& element = list->elems[i];
    if (element.offset < 0) continue;
    const std::string_view mark(static_cast<const char*>(element.metadata), element.metadata_size);
    if (mark.substr(0, mark.find('\0')) == mark_) continue;
    return leave_alone(fmt::format("it holds offset {} of {}, which this pipeline did not write",
                                   element.offset,
                                   to_string(TopicPartition{element.topic, element.partition})));
  }
  for (const auto& [tp, offset] : unknown) ours_.insert(tp);
  unanswered_ = false;
}

void GroupOffsets::write() {
  std::map<TopicPartition, Offset> known;
  std::erase_if(wanted_, [&](const auto& wanted) {
    return ours_.contains(wanted.first) && known.insert(wanted).second;
  });
  if (known.empty()) return;
  const auto list = list_of(known, mark_);
  const auto code = rd_kafka_commit(client_.get(), list.get(), 1);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++under_way_;
  } else {
    client_.log().debug("kafka: offsets of group {}: {}", group_, rd_kafka_err2str(code));
  }
}

void GroupOffsets::on_commit(rd_kafka_resp_err_t code) {
  --under_way_;
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return leave_alone("this login lacks the right to read it");
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      return leave_alone("it has members: consumers of that group are running");
    default:
      client_.log().debug("kafka: offsets of group {}: {}", group_, rd_kafka_err2str(code));
  }
}

void GroupOffsets::leave_alone(const std::string& why) {
  left_alone_ = true;
  wanted_.clear();
  client_.log().warn(
      "Kafka's lag tools do not see this pipeline's progress: the offsets of consumer group {} are "
      "left alone, because {}. Or choose another group with {}, or set {}; the pipeline itself "
      "needs no group",
      group_, why, client_.called_group(), client_.called_no_group());
}

}  // namespace semel::kafka
