#include "kafka/group_offsets.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace semel::kafka {

namespace {

constexpr int request_timeout_ms = 1'500;
constexpr int poll_ms = 20;
constexpr auto back_off = std::chrono::milliseconds(200);

using EventHandle = std::unique_ptr<rd_kafka_event_t, Destroyer<rd_kafka_event_destroy>>;
using AdminOptionsHandle =
    std::unique_ptr<rd_kafka_AdminOptions_t, Destroyer<rd_kafka_AdminOptions_destroy>>;

AdminOptionsHandle admin_options(const Client& client, rd_kafka_admin_op_t operation) {
  AdminOptionsHandle options{rd_kafka_AdminOptions_new(client.get(), operation)};
  char reason[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), request_timeout_ms, reason,
                                            sizeof reason);
  return options;
}

PartitionListHandle list_of(const std::map<TopicPartition, Offset>& offsets,
                            const std::string& mark) {
  PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
  for (const auto& [source, offset] : offsets) {
    auto* element =
        rd_kafka_topic_partition_list_add(list.get(), source.topic.c_str(), source.partition);
    element->offset = offset;
    if (mark.empty()) continue;
    // librdkafka frees it with the list.
    element->metadata = strdup(mark.c_str());
    element->metadata_size = mark.size();
  }
  return list;
}

}  // namespace

GroupOffsets::GroupOffsets(Client& client, std::string group, std::string pipeline)
    : client_(client),
      group_(std::move(group)),
      mark_("semel " + std::move(pipeline)),
      queue_(rd_kafka_queue_new(client.get())) {}

GroupOffsets::~GroupOffsets() {
  // Its answer comes to a queue that is gone with this; if only as a time-out, it does come.
  const auto give_up = Clock::now() + 2 * std::chrono::milliseconds(request_timeout_ms);
  while (asked_ && Clock::now() < give_up) {
    const EventHandle event{rd_kafka_queue_poll(queue(), poll_ms)};
    if (event) asked_.reset();
  }
}

void GroupOffsets::look_at(std::span<const TopicPartition> sources) {
  if (ours_ || left_alone_) return;
  for (const auto& source : sources) looked_at_.try_emplace(source, -1);
  go_on(0);
}

void GroupOffsets::show(const std::map<TopicPartition, Offset>& offsets) {
  if (!left_alone_) {
    for (const auto& [source, offset] : offsets) wanted_[source] = offset;
  }
  if (!ours_) {
    for (const auto& [source, offset] : wanted_) looked_at_.try_emplace(source, -1);
  }
  go_on(0);
}

void GroupOffsets::finish(std::chrono::milliseconds at_most) {
  const auto give_up = Clock::now() + at_most;
  while (!settled() && Clock::now() < give_up) go_on(poll_ms);
}

/// Takes an answer, if there is one within `wait_ms`, and asks what is to be asked next.
void GroupOffsets::go_on(int wait_ms) {
  if (asked_) {
    if (const EventHandle event{rd_kafka_queue_poll(queue(), wait_ms)}) on_answer(event.get());
  }
  if (asked_ || left_alone_) return;
  if (Clock::now() < not_before_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    return;
  }
  if (!ours_) {
    if (!looked_at_.empty()) ask_whose();
  } else if (!wanted_.empty()) {
    write();
  }
}

void GroupOffsets::ask_whose() {
  const auto list = list_of(looked_at_, {});
  auto* request = rd_kafka_ListConsumerGroupOffsets_new(group_.c_str(), list.get());
  const auto options = admin_options(client_, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
  rd_kafka_ListConsumerGroupOffsets(client_.get(), &request, 1, options.get(), queue());
  rd_kafka_ListConsumerGroupOffsets_destroy(request);
  asked_ = Asked::whose;
}

void GroupOffsets::write() {
  sent_ = std::exchange(wanted_, {});
  const auto list = list_of(sent_, mark_);
  auto* request = rd_kafka_AlterConsumerGroupOffsets_new(group_.c_str(), list.get());
  const auto options = admin_options(client_, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
  rd_kafka_AlterConsumerGroupOffsets(client_.get(), &request, 1, options.get(), queue());
  rd_kafka_AlterConsumerGroupOffsets_destroy(request);
  asked_ = Asked::write;
}

void GroupOffsets::on_answer(rd_kafka_event_t* event) {
  const auto asked = *std::exchange(asked_, std::nullopt);
  if (const auto code = rd_kafka_event_error(event)) return refused(code);
  std::size_t count = 0;
  const auto** groups = asked == Asked::whose
                            ? rd_kafka_ListConsumerGroupOffsets_result_groups(
                                  rd_kafka_event_ListConsumerGroupOffsets_result(event), &count)
                            : rd_kafka_AlterConsumerGroupOffsets_result_groups(
                                  rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
  if (count == 0) return refused(RD_KAFKA_RESP_ERR__FAIL);
  if (const auto* error = rd_kafka_group_result_error(groups[0])) {
    return refused(rd_kafka_error_code(error));
  }
  const auto* offsets = rd_kafka_group_result_partitions(groups[0]);
  if (offsets == nullptr) return refused(RD_KAFKA_RESP_ERR__FAIL);
  asked == Asked::whose ? on_offsets(*offsets) : on_written(*offsets);
}

void GroupOffsets::on_offsets(const rd_kafka_topic_partition_list_t& offsets) {
  for (int i = 0; i < offsets.cnt; ++i) {
    const auto& element = offsets.elems[i];
    if (element.offset < 0) continue;
    const std::string_view mark(static_cast<const char*>(element.metadata), element.metadata_size);
    if (mark == mark_) continue;
    return leave_alone(fmt::format("it holds offset {} of {}, which this pipeline did not write",
                                   element.offset,
                                   to_string(TopicPartition{element.topic, element.partition})));
  }
  ours_ = true;
  looked_at_.clear();
}

void GroupOffsets::on_written(const rd_kafka_topic_partition_list_t& offsets) {
  for (int i = 0; i < offsets.cnt; ++i) {
    if (offsets.elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return refused(offsets.elems[i].err);
  }
  sent_.clear();
}

void GroupOffsets::refused(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return leave_alone(
          fmt::format("this login lacks the right ({}). Allow it to read and describe "
                      "the group",
                      rd_kafka_err2str(code)));
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return leave_alone("it has members: consumers of that group are running");
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return leave_alone(rd_kafka_err2str(code));
    default:
      // The coordinator moves, or comes into being. What was not written is written with the next.
      for (const auto& [source, offset] : std::exchange(sent_, {})) {
        wanted_.try_emplace(source, offset);
      }
      not_before_ = Clock::now() + back_off;
      spdlog::debug("kafka: offsets of group {}: {}", group_, rd_kafka_err2str(code));
  }
}

void GroupOffsets::leave_alone(const std::string& why) {
  left_alone_ = true;
  looked_at_.clear();
  wanted_.clear();
  sent_.clear();
  spdlog::warn(
      "Kafka's lag tools do not see this pipeline's progress: the offsets of consumer group "
      "{} are left alone, because {}. Or choose another group with source.kafka.group_id, or "
      "set commit_group_offsets = false; the pipeline itself needs no group",
      group_, why);
}

}  // namespace semel::kafka
