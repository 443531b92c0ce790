// An output on the real broker: a target of its own, and what a reader of committed records sees.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "connector/connector.hpp"
#include "kafka_sink/options.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

namespace semel::test {

/// One record of a topic, copied.
struct Seen {
  std::int32_t partition = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  std::string header(const std::string& name) const;
  Offset origin() const { return std::stoll(header("semel.offset")); }
};

Owner owner_named(const std::string& who);
Committed committed(const Result<CommitResult>& result);

class KafkaOutput {
 public:
  /// `configs`: of the target.
  explicit KafkaOutput(int partitions = 1, const std::map<std::string, std::string>& configs = {});

  kafka_sink::Options options;
  std::string ledger;  ///< its topic

  /// Of the broker.
  static std::string cluster_id();

  SinkContext context(const Owner& owner, int sessions = 2) const;
  std::unique_ptr<Sink> open(const Owner& owner, int sessions = 2) const;
  /// What is committed of a topic, partition by partition.
  std::vector<Seen> read(const std::string& topic) const;
  std::vector<Seen> stored() const { return read(options.topic); }
  std::vector<Seen> dead() const { return read(options.topic + ".dead-letters"); }
};

}  // namespace semel::test
