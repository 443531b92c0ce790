// Where a pipeline stands: the ledger beside what Kafka has.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <semel/ledger.hpp>

#include "app/pipeline_config.hpp"

namespace semel::cli {

struct Position {
  TopicPartition tp;
  std::optional<Progress> progress;  ///< absent: Kafka has it, the ledger does not know it yet
  std::optional<Offset> earliest;    ///< absent: Kafka did not say
  std::optional<Offset> latest;      ///< under read_committed the last stable offset
  std::optional<Offset> high_watermark;

  /// Offsets that nobody reads under read_committed before a transaction is over.
  std::int64_t behind_transaction() const;

  /// The log does not reach to what the ledger has: another topic, or an offset that a hand gave.
  bool past_the_end() const;

  /// Offsets that are not in the sink yet; none where that is unknown.
  std::optional<std::int64_t> lag() const;
};

struct Positions {
  std::vector<Position> partitions;    ///< in (topic, partition) order
  bool asked = true;                   ///< whether there was anything to ask Kafka for
  std::optional<Error> kafka_failure;  ///< why Kafka could not be asked
};

/// What to ask of Kafka: the topics of the configuration, or those that the ledger knows where it
/// names none, as a program names its own. Nothing where nothing is read from Kafka.
std::optional<kafka::Options> asked_of_kafka(const app::PipelineConfig& config,
                                             const std::vector<Progress>& progress);

/// Works without Kafka: then only the ledger's side is known. A configuration with which Kafka can
/// never be asked is an error.
Result<Positions> look_up(const app::PipelineConfig& config, const std::vector<Progress>& progress);

/// "2026-11-21T10:40:16Z", "-" for no batch yet.
std::string when(BatchTime time);

}  // namespace semel::cli
