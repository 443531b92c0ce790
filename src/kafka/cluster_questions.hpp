// What a client can ask a cluster: topics, partitions, leaders, offsets. Used by the planner for
// all partitions and by the reader for one whose records do not come.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/client.hpp"

namespace semel::kafka {

struct TopicState {
  std::string name;
  bool exists = true;  ///< false: the cluster says that it knows no such topic
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::map<std::int32_t, std::int32_t> leaders;  ///< brokers, by partition; -1: none at the moment
};

/// Somebody has to allow it.
bool is_denial(rd_kafka_resp_err_t code);

/// Every topic of the cluster.
Result<std::vector<TopicState>> ask_all_topics(Client& client, int timeout_ms);
/// One topic. Never creates it, whatever the broker's auto.create.topics.enable says.
Result<TopicState> ask_topic(Client& client, const std::string& name, int timeout_ms);

// Timestamps with a meaning of their own (Kafka's ListOffsets request).
constexpr std::int64_t latest_timestamp = -1;
constexpr std::int64_t earliest_timestamp = -2;

/// One question: an error for the whole of it, or what each partition answered. Never asks again.
struct OffsetAnswers {
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;  ///< of the question
  std::map<TopicPartition, Offset> offsets;
  std::map<TopicPartition, rd_kafka_resp_err_t> refused;  ///< partitions without an answer
};
OffsetAnswers ask_once(Client& client, std::span<const TopicPartition> tps, std::int64_t timestamp,
                       int timeout_ms);

/// How many partitions one question is about.
std::size_t partitions_at_once(std::size_t all);

/// The offsets of a moment, earliest_timestamp or latest_timestamp: a request per leader for some
/// hundred partitions, asked again (with new metadata) while one of them answers with an error and
/// time is left; `timeout_ms` is for each of them. All partitions or an error. Without a record at
/// or after the moment: absent from the map.
Result<std::map<TopicPartition, Offset>> ask_offsets(Client& client,
                                                     std::span<const TopicPartition> tps,
                                                     std::int64_t timestamp, int timeout_ms);

}  // namespace semel::kafka
