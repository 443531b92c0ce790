#include "kafka/cluster_questions.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

namespace semel::kafka {

namespace {

using Clock = std::chrono::steady_clock;

class Deadline {
 public:
  explicit Deadline(int timeout_ms) : end_(Clock::now() + std::chrono::milliseconds(timeout_ms)) {}
  int left_ms() const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
  }

 private:
  Clock::time_point end_;
};

// Long enough for a new leader to be elected between two questions, short enough not to be noticed.
constexpr auto pause = std::chrono::milliseconds(50);

constexpr int refusal_known_ms = 1'000;

// librdkafka looks each answered partition up by walking the list that was asked for: a question
// about 5,000 partitions compares 12 million names. But each question is a round trip.
constexpr std::size_t partitions_per_question = 250;
constexpr std::size_t questions_max = 20;

TopicState state_of(const rd_kafka_metadata_topic& topic) {
  TopicState state{.name = topic.topic, .exists = true, .error = topic.err, .leaders = {}};
  state.exists = topic.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
                 topic.err != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  for (int i = 0; i < topic.partition_cnt; ++i) {
    state.leaders[topic.partitions[i].id] = topic.partitions[i].leader;
  }
  return state;
}

Result<MetadataHandle> ask_metadata(Client& client, rd_kafka_topic_t* only, int timeout_ms) {
  const struct rd_kafka_metadata* answer = nullptr;
  const auto ask = [&](int at_most_ms) {
    const auto code =
        rd_kafka_metadata(client.get(), only == nullptr ? 1 : 0, only, &answer, at_most_ms);
    client.poll();  // brings the reason of a failure
    return code;
  };
  // A login that is refused is known long before a question is given up.
  const auto first_ms = std::min(timeout_ms, refusal_known_ms);
  auto code = ask(first_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && timeout_ms > first_ms && !client.refuses_login()) {
    code = ask(timeout_ms - first_ms);
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return tl::unexpected(client.error(code, "asking for the topics"));
  }
  return MetadataHandle(answer);
}

PartitionListHandle list_of(std::span<const TopicPartition> tps, std::int64_t timestamp) {
  PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(tps.size()))};
  for (const auto& tp : tps) {
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition)->offset =
        timestamp;
  }
  return list;
}

Error no_offset(const Client& client, const TopicPartition& tp, rd_kafka_resp_err_t code) {
  return client.error(code, fmt::format("asking for the offsets of {}", to_string(tp)));
}

Result<void> ask_some(Client& client, std::span<const TopicPartition> tps, std::int64_t timestamp,
                      const Deadline& deadline, std::map<TopicPartition, Offset>& offsets) {
  while (true) {
    // One failing partition fails the whole call, so every attempt asks for all of them.
    auto answers = ask_once(client, tps, timestamp, std::max(deadline.left_ms(), 1));
    if (answers.code == RD_KAFKA_RESP_ERR_NO_ERROR && answers.refused.empty()) {
      offsets.merge(answers.offsets);
      return {};
    }
    const auto error =
        answers.code != RD_KAFKA_RESP_ERR_NO_ERROR
            ? client.error(answers.code, "asking for offsets")
            : no_offset(client, answers.refused.begin()->first, answers.refused.begin()->second);
    if (error.kind == ErrorKind::fatal) return tl::unexpected(error);
    std::this_thread::sleep_for(
        std::min<std::chrono::milliseconds>(pause, std::chrono::milliseconds(deadline.left_ms())));
    std::set<std::string> topics;
    for (const auto& tp : tps) topics.insert(tp.topic);
    for (const auto& topic : topics) {
      if (deadline.left_ms() == 0) return tl::unexpected(error);
      // Only to refresh what the client believes; what it says comes back with the next attempt.
      (void)ask_topic(client, topic, deadline.left_ms());
    }
    if (deadline.left_ms() == 0) return tl::unexpected(error);
  }
}

}  // namespace

bool is_denial(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
}

Result<std::vector<TopicState>> ask_all_topics(Client& client, int timeout_ms) {
  const auto answer = ask_metadata(client, nullptr, timeout_ms);
  if (!answer) return tl::unexpected(answer.error());
  std::vector<TopicState> topics;
  topics.reserve(static_cast<std::size_t>((*answer)->topic_cnt));
  for (int i = 0; i < (*answer)->topic_cnt; ++i) topics.push_back(state_of((*answer)->topics[i]));
  return topics;
}

Result<TopicState> ask_topic(Client& client, const std::string& name, int timeout_ms) {
  auto* topic = client.topic(name);
  if (topic == nullptr) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("\"{}\" cannot be the name of a topic", name));
  }
  const auto answer = ask_metadata(client, topic, timeout_ms);
  if (!answer) return tl::unexpected(answer.error());
  for (int i = 0; i < (*answer)->topic_cnt; ++i) {
    if (name == (*answer)->topics[i].topic) return state_of((*answer)->topics[i]);
  }
  return TopicState{.name = name, .exists = false, .error = {}, .leaders = {}};
}

OffsetAnswers ask_once(Client& client, std::span<const TopicPartition> tps, std::int64_t timestamp,
                       int timeout_ms) {
  OffsetAnswers answers;
  const auto list = list_of(tps, timestamp);
  answers.code = rd_kafka_offsets_for_times(client.get(), list.get(), timeout_ms);
  client.poll();
  if (answers.code != RD_KAFKA_RESP_ERR_NO_ERROR) return answers;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& element = list->elems[i];
    const TopicPartition tp{element.topic, element.partition};
    // A partition that was left out still holds the question. For a moment in time, -1 is an
    // answer.
    const bool asked_only = timestamp < 0 && element.offset < 0;
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      answers.refused.emplace(tp, element.err);
    } else if (asked_only) {
      answers.refused.emplace(tp, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    } else if (element.offset >= 0) {
      answers.offsets.emplace(tp, element.offset);
    }
  }
  return answers;
}

std::size_t partitions_at_once(std::size_t all) {
  return std::max(partitions_per_question, (all + questions_max - 1) / questions_max);
}

Result<std::map<TopicPartition, Offset>> ask_offsets(Client& client,
                                                     std::span<const TopicPartition> tps,
                                                     std::int64_t timestamp, int timeout_ms) {
  std::map<TopicPartition, Offset> offsets;
  const auto at_once = partitions_at_once(tps.size());
  while (!tps.empty()) {
    const auto some = tps.first(std::min(tps.size(), at_once));
    // Brokers that are slow for one question are so for each: what they answered is not given up.
    if (auto asked = ask_some(client, some, timestamp, Deadline(timeout_ms), offsets); !asked) {
      return tl::unexpected(asked.error());
    }
    tps = tps.subspan(some.size());
  }
  return offsets;
}

}  // namespace semel::kafka
