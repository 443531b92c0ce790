// Asks for the offsets of many partitions and takes what is answered: a partition without a leader,
// or a broker that says nothing, keeps nobody else's offsets back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kafka/cluster_questions.hpp"
#include "kafka/partial_offsets.hpp"

namespace semel::kafka {

/// Not thread safe. Remembers who leads which partition, and which brokers did not answer.
class OffsetSurvey {
 public:
  explicit OffsetSurvey(Client& client) : client_(client) {}

  /// What metadata said; asked for again here where it is missing or seems to be old.
  void learn(std::span<const TopicState> topics);

  /// The offsets of a moment (see ask_offsets). Blocks for `timeout_ms` at most where all is well,
  /// and for about twice that where a broker says nothing for the first time; it is then asked less
  /// often. An error where nobody answered, or where somebody has to act.
  Result<PartialOffsets> ask(std::span<const TopicPartition> tps, std::int64_t timestamp,
                             int timeout_ms);

 private:
  using Clock = std::chrono::steady_clock;
  struct Silence {
    int failures = 0;
    Clock::time_point ask_again;
  };
  struct Round;

  Result<void> refresh(std::span<const TopicPartition> tps, int timeout_ms, Clock::duration age);
  std::int32_t leader_of(const TopicPartition& tp) const;
  void ask_together(std::span<const TopicPartition> tps, Round& round);
  void ask_by_leader(std::span<const TopicPartition> tps, Round& round);
  void ask_leader(std::int32_t leader, std::span<const TopicPartition> tps, Round& round);

  Client& client_;
  std::map<TopicPartition, std::int32_t> leaders_;
  std::map<std::string, Clock::time_point, std::less<>> refreshed_;  ///< by topic
  std::map<std::int32_t, Silence> silent_;                           ///< brokers
};

}  // namespace semel::kafka
