// The topic that gets the records: what it takes, and in which form.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "kafka/topic_admin.hpp"
#include "kafka_sink/names.hpp"
#include "kafka_sink/options.hpp"
#include "record/bad_record.hpp"

namespace semel::kafka_sink {

/// As the topics were configured when they were asked for. Absent limits: not known.
struct Limits {
  int partitions = 0;
  std::optional<std::int64_t> record_bytes_max;  ///< where records are not compressed
  std::int64_t batch_bytes_max = 1'000'000;      ///< of several records
  std::int64_t dead_letter_bytes_max = 1'000'000;
  bool needs_keys = false;                ///< it is compacted
  std::optional<std::int64_t> before_ms;  ///< how old, and how far ahead, a timestamp may be
  std::optional<std::int64_t> after_ms;
  std::chrono::steady_clock::time_point asked;
};

/// Which of the topic's partitions gets a record.
class Partitioning {
 public:
  /// Fatal (Cause::configuration) where it is none that there is.
  static Result<Partitioning> of(const std::string& setting);
  /// For one of partition `from`, with or without a key; kafka::Outgoing::by_key: by its key.
  /// Absent: the topic has no such partition.
  std::optional<std::int32_t> operator()(std::int32_t from, bool has_key, int partitions) const;
  /// Where there has to be one.
  std::optional<std::int32_t> fixed() const;

 private:
  enum class Way : std::uint8_t { key, same, fixed };
  Way way_ = Way::key;
  std::int32_t fixed_ = 0;
};

/// How many bytes a batch of this record alone has, uncompressed.
std::int64_t bytes_of(const Record& record, std::span<const Header> headers);

/// Why the topic will not take it, as far as that is known beforehand. `now_ms` since 1970.
std::optional<record::BadRecord> refusal_of(const Limits& limits, const Record& record,
                                            std::span<const Header> headers, std::int64_t now_ms);

/// Thread safe.
class Target {
 public:
  Target(const Options& options, Names names, std::string client)
      : options_(options), names_(std::move(names)), client_(std::move(client)) {}

  /// Fatal (Cause::sink) where the topic does not exist. Asked for where they are older.
  Result<std::shared_ptr<const Limits>> limits(std::chrono::milliseconds at_most_old);

 private:
  const Options& options_;
  Names names_;
  std::string client_;
  std::mutex mutex_;
  std::shared_ptr<const Limits> limits_;
};

/// Makes what is missing of the ledger's topics and that of the dead letters; fatal where one is
/// there that cannot be what it has to be.
Result<void> set_up_topics(const Options& options, const Names& names, const std::string& client);
/// The commands that make them by hand.
std::string commands_for_topics(const Options& options, const Names& names);

}  // namespace semel::kafka_sink
