#include "kafka/offset_survey.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <set>
#include <utility>

namespace semel::kafka {

namespace {

using namespace std::chrono_literals;

// A partition without a leader has one again after some hundred milliseconds, or after minutes.
constexpr auto metadata_age = 500ms;
// A broker that did not answer holds up the others for one time-out in so many of them.
constexpr int silence_factor = 2;
constexpr int silence_doublings_max = 3;
constexpr std::size_t single_questions = 16;
// A broker that is there answers a question of its own within this time.
constexpr int least_time_ms = 250;

bool nobody_answered(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
         code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
         code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

/// Of one topic: the question is answered for the others.
bool denies_a_topic(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

Error without_leader(bool known) {
  return {ErrorKind::unavailable, Cause::source,
          known ? "the partition has no leader at the moment: the brokers that hold it are down"
                : "Kafka does not know the partition at the moment"};
}

}  // namespace

struct OffsetSurvey::Round {
  std::int64_t timestamp;
  int timeout_ms;
  int each_ms = 0;  ///< of a leader's time, where each is asked alone
  PartialOffsets result{};
  std::vector<TopicPartition> again{};  ///< were in a question that failed as a whole
  std::optional<Error> fatal{};
};

void OffsetSurvey::learn(std::span<const TopicState> topics) {
  const auto now = Clock::now();
  for (const auto& topic : topics) {
    refreshed_[topic.name] = now;
    const auto first = leaders_.lower_bound({topic.name, 0});
    auto last = first;
    while (last != leaders_.end() && last->first.topic == topic.name) ++last;
    leaders_.erase(first, last);
    if (!topic.exists) continue;
    for (const auto& [partition, leader] : topic.leaders) {
      leaders_[{topic.name, partition}] = leader;
    }
  }
}

std::int32_t OffsetSurvey::leader_of(const TopicPartition& tp) const {
  const auto found = leaders_.find(tp);
  return found == leaders_.end() ? -1 : found->second;
}

/// Asks for the metadata of these partitions' topics, where what is known is as old as that.
Result<void> OffsetSurvey::refresh(std::span<const TopicPartition> tps, int timeout_ms,
                                   Clock::duration age) {
  const auto now = Clock::now();
  std::set<std::string> topics;
  for (const auto& tp : tps) {
    const auto known = refreshed_.find(tp.topic);
    if (known == refreshed_.end() || now - known->second >= age) {
      topics.insert(tp.topic);
    }
  }
  if (topics.size() > single_questions) {
    const auto all = ask_all_topics(client_, timeout_ms);
    if (!all) return tl::unexpected(all.error());
    learn(*all);
    for (const auto& topic : topics) refreshed_[topic] = now;
    return {};
  }
  for (const auto& topic : topics) {
    const auto state = ask_topic(client_, topic, timeout_ms);
    if (!state) return tl::unexpected(state.error());
    learn({&*state, 1});
  }
  return {};
}

Result<PartialOffsets> OffsetSurvey::ask(std::span<const TopicPartition> tps,
                                         std::int64_t timestamp, int timeout_ms) {
  Round round{.timestamp = timestamp, .timeout_ms = timeout_ms};
  std::vector<TopicPartition> leaderless;
  for (const auto& tp : tps) {
    if (leader_of(tp) < 0) leaderless.push_back(tp);
  }
  if (auto known = refresh(leaderless, timeout_ms, metadata_age);
      !known && leaderless.size() == tps.size()) {
    return tl::unexpected(known.error());
  }

  std::vector<TopicPartition> together;
  std::vector<TopicPartition> alone;
  for (const auto& tp : tps) {
    const auto leader = leader_of(tp);
    if (leader < 0) {
      round.result.unanswered.emplace(tp, without_leader(leaders_.contains(tp)));
    } else {
      (silent_.contains(leader) ? alone : together).push_back(tp);
    }
  }
  ask_together(together, round);
  if (!round.fatal && !round.again.empty()) {
    // What it says, or why it says nothing, comes with the second question.
    const auto again = std::exchange(round.again, {});
    if (auto known = refresh(again, timeout_ms, {})) {
      ask_by_leader(again, round);
    } else {
      // No broker says anything, not only those that lead them.
      for (const auto& tp : again) round.result.unanswered.emplace(tp, known.error());
    }
  }
  if (!round.fatal) ask_by_leader(alone, round);
  if (round.fatal) return tl::unexpected(*round.fatal);
  if (!tps.empty() && round.result.unanswered.size() == tps.size()) {
    auto error = round.result.unanswered.begin()->second;
    error.message =
        fmt::format("{}: {}", to_string(round.result.unanswered.begin()->first), error.message);
    return tl::unexpected(std::move(error));
  }
  return std::move(round.result);
}

/// One question for hundreds of partitions, which librdkafka splits by leader. One that fails,
/// fails the whole of it.
void OffsetSurvey::ask_together(std::span<const TopicPartition> tps, Round& round) {
  const auto at_once = partitions_at_once(tps.size());
  while (!tps.empty() && !round.fatal) {
    const auto some = tps.first(std::min(tps.size(), at_once));
    tps = tps.subspan(some.size());
    auto answers = ask_once(client_, some, round.timestamp, round.timeout_ms);
    round.result.offsets.merge(answers.offsets);
    if (answers.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      for (const auto& [tp, code] : answers.refused) round.again.push_back(tp);
      continue;
    }
    if (auto error = client_.error(answers.code, "asking for offsets");
        error.kind == ErrorKind::fatal && !denies_a_topic(answers.code)) {
      round.fatal = std::move(error);
    }
    round.again.insert(round.again.end(), some.begin(), some.end());
  }
}

void OffsetSurvey::ask_by_leader(std::span<const TopicPartition> tps, Round& round) {
  std::map<std::int32_t, std::vector<TopicPartition>> by_leader;
  for (const auto& tp : tps) by_leader[leader_of(tp)].push_back(tp);
  // One that says nothing takes no other's time.
  round.each_ms = std::max(round.timeout_ms / std::max(static_cast<int>(by_leader.size()), 1),
                           std::min(round.timeout_ms, least_time_ms));
  for (const auto& [leader, led] : by_leader) {
    if (round.fatal) return;
    ask_leader(leader, led, round);
  }
}

void OffsetSurvey::ask_leader(std::int32_t leader, std::span<const TopicPartition> tps,
                              Round& round) {
  const auto unanswered = [&](const Error& why) {
    for (const auto& tp : tps) round.result.unanswered.emplace(tp, why);
  };
  if (leader < 0) {
    for (const auto& tp : tps) {
      round.result.unanswered.emplace(tp, without_leader(leaders_.contains(tp)));
    }
    return;
  }
  const auto doing = fmt::format("asking broker {} for offsets", leader);
  const auto known = silent_.find(leader);
  const auto now = Clock::now();
  if (known != silent_.end() && now < known->second.ask_again) {
    return unanswered(client_.error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing));
  }
  auto answers = ask_once(client_, tps, round.timestamp, round.each_ms);
  if (nobody_answered(answers.code)) {
    auto& silence = silent_[leader];
    const auto pause = std::chrono::milliseconds(round.timeout_ms) * silence_factor;
    silence.ask_again =
        Clock::now() + pause * (1 << std::min(silence.failures++, silence_doublings_max)) / 4;
    return unanswered(client_.error(answers.code, doing));
  }
  silent_.erase(leader);
  if (answers.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    round.result.offsets.merge(answers.offsets);
    for (const auto& [tp, code] : answers.refused) {
      round.result.unanswered.emplace(tp, client_.error(code, doing));
    }
    return;
  }
  if (auto error = client_.error(answers.code, doing);
      error.kind == ErrorKind::fatal && !denies_a_topic(answers.code)) {
    round.fatal = std::move(error);
  } else if (tps.size() == 1) {
    round.result.unanswered.emplace(tps.front(), std::move(error));
  } else {
    // The broker is there; one of these partitions is not.
    const auto half = tps.size() / 2;
    ask_leader(leader, tps.first(half), round);
    ask_leader(leader, tps.subspan(half), round);
  }
}

}  // namespace semel::kafka
