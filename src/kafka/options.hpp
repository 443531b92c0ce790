// What a pipeline wants from Kafka. Filled by settings in src/app; values only, no rdkafka.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "base/log.hpp"
#include "base/setting_names.hpp"

namespace semel::kafka {

enum class Isolation : std::uint8_t { read_committed, read_uncommitted };

struct StartEarliest {
  bool operator==(const StartEarliest&) const = default;
};
struct StartLatest {
  bool operator==(const StartLatest&) const = default;
};
/// The first record whose timestamp is at or after this moment; the end where there is none.
struct StartTimestamp {
  std::int64_t ms = 0;
  bool operator==(const StartTimestamp&) const = default;
};
/// An offset for every partition; starting without one for some partition is an error.
struct StartOffsets {
  std::map<TopicPartition, Offset> offsets;
  bool operator==(const StartOffsets&) const = default;
};
/// Where a topic begins that the ledger does not know. What the ledger knows always wins.
using Start = std::variant<StartEarliest, StartLatest, StartTimestamp, StartOffsets>;

/// What becomes of a start below what the log still holds: the records in between are lost.
enum class BelowEarliest : std::uint8_t { refused, accepted };

/// What a cluster is to the pipeline: what its settings are called, and who has to act where it
/// cannot be used.
enum class Use : std::uint8_t { source, sink };
constexpr std::string_view section_of(Use use) {
  return use == Use::source ? "source.kafka" : "sink.kafka";
}
constexpr Cause cause_of(Use use) {
  return use == Use::source ? Cause::source : Cause::sink;
}

struct Options {
  Use use = Use::source;
  std::string brokers;              ///< bootstrap servers, comma separated
  std::vector<std::string> topics;  ///< exact names; either this or `topic_pattern`
  std::string topic_pattern;        ///< regular expression (ECMAScript): must match the whole name
  Start start = StartEarliest{};
  Isolation isolation = Isolation::read_committed;
  /// For the offsets shown to Kafka's lag tools; empty: the pipeline's name.
  std::string group_id;
  bool commit_group_offsets = true;
  std::int64_t discovery_interval_ms = 10'000;  ///< how often topics and partitions are looked for
  /// What one reader may hold: records that were fetched ahead, what librdkafka needs beside them,
  /// and answers that are being unpacked.
  std::int64_t reader_memory_bytes = 232ll << 20;
  /// An eventfd that is written to when a reader's records arrive; -1: none.
  int wake_fd = -1;
  std::string cluster_id;  ///< of which offsets are known; another cluster is an error. Empty: any
  std::map<std::string, std::string> librdkafka;  ///< passed through; some are refused by name
  SettingNames names;
  Log log;

  /// What a setting of the cluster is called: "brokers".
  std::string called(std::string_view setting) const;
};

inline std::string Options::called(std::string_view setting) const {
  return names(std::string(section_of(use)).append(".").append(setting));
}

struct WriterOptions {
  /// How long a record waits for others of its partition, to be sent together.
  int linger_ms = 20;
  /// Whether what may have been lost is sent again (in order and without doubles, five requests at
  /// most under way). Otherwise it is an error, and any number of requests may be under way.
  bool retries = true;
};

/// Of a client that writes in transactions.
struct TransactionOptions {
  /// Whoever begins with it ends what others began with it.
  std::string transactional_id;
  /// After which the broker aborts a transaction that nobody ended.
  std::int64_t timeout_ms = 60'000;
  /// Bytes of one request's records of a partition, where they are several.
  std::int64_t batch_bytes_max = 1'000'000;
  /// What may be on its way, with what librdkafka needs for it; a record that is larger goes alone.
  std::int64_t queue_bytes_max = 32ll << 20;
  /// Each record is sent by itself, so that what a broker says is of one record.
  bool one_by_one = false;
};

}  // namespace semel::kafka
