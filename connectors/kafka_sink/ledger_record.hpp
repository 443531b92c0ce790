// What stands in the ledger's topic and in that of its history: values, and records of them. Each
// record is JSON that people can read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <semel/ledger.hpp>
#include <semel/types.hpp>

namespace semel::kafka_sink {

/// Of what the records say and mean.
inline constexpr int ledger_version = 1;

/// Moments as store::moment_text() has them.
struct OwnerRow {
  std::string pipeline;
  std::string output;
  std::int64_t epoch = 0;
  std::string id;
  std::string description;
  std::string since;
  std::string seen_at;
  std::string cluster_id;
  std::string state;
  std::string reason;
  std::int64_t heartbeat_ms = 0;
  std::string reads;   ///< for people
  std::string target;  ///< the topic that gets the records
  /// How many slots whoever has to be fenced may use: those of this owner, and of owners before it
  /// until all of theirs are fenced.
  int slots = 0;
  std::int64_t partitions = 0;   ///< positions that there are, so that one that is lost is missed
  BatchTime highest_batch_time;  ///< so far; survives a reset
  int version = ledger_version;
};

/// Where a partition stands.
struct Position {
  Progress at;
  std::int64_t epoch = 0;
  std::string owner;
  std::string moved_at;
};

/// A position that was forgotten.
struct Forgotten {
  TopicPartition tp;
};

std::string owner_key();
std::string key_of(const TopicPartition& tp);
std::string encode(const OwnerRow& row);
std::string encode(const Position& position);

/// Has a key of ours, and a value that is none: of a partition, or else of the owner.
struct Broken {
  std::optional<TopicPartition> tp{};
};

/// monostate: no record of ours, by its key; whoever wrote it.
using LedgerFact = std::variant<std::monostate, OwnerRow, Position, Forgotten, Broken>;
LedgerFact decode(std::optional<std::string_view> key, std::optional<std::string_view> value);

/// Of the history; `note` may be empty.
std::string encode(const Move& move, const std::string& note);
std::optional<Move> decode_move(std::optional<std::string_view> value);

}  // namespace semel::kafka_sink
