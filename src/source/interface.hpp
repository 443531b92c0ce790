// Where a pipeline's records come from: Kafka, or logs on this machine. The engine asks and reads
// through this, and knows no more of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/options.hpp"
#include "kafka/partial_offsets.hpp"
#include "kafka/planner_client.hpp"
#include "kafka/range_reader.hpp"

namespace semel::source {

/// Asks what there is. What holds for each member is said where kafka::PlannerClient has it. Not
/// thread safe.
class Planner {
 public:
  virtual ~Planner() = default;

  virtual Result<kafka::Discovery> discover(int timeout_ms, const std::set<std::string>& known) = 0;
  /// Other offsets than those of this id mean nothing in its ledger.
  virtual Result<std::string> cluster_id(int timeout_ms) = 0;
  virtual void expect_cluster(const std::string& id) = 0;
  virtual Result<void> same_cluster() const = 0;
  virtual Result<kafka::PartialOffsets> earliest(std::span<const TopicPartition> tps,
                                                 int timeout_ms) = 0;
  virtual Result<kafka::PartialOffsets> latest(std::span<const TopicPartition> tps,
                                               int timeout_ms) = 0;
  virtual Result<kafka::PartialOffsets> resolve_start(std::span<const TopicPartition> tps,
                                                      const kafka::Start& start,
                                                      kafka::BelowEarliest below,
                                                      int timeout_ms) = 0;

  /// Each is committed below its offset: nobody asks for these records again.
  virtual void passed(const std::map<TopicPartition, Offset>& offsets) = 0;
  virtual bool all_shown() const = 0;  ///< nothing of what has passed is left to be written
  virtual void finish_showing(std::chrono::milliseconds at_most) = 0;
};

/// Reads ranges, one after the other. As kafka::RangeReader.
class Reader {
 public:
  virtual ~Reader() = default;

  virtual Result<void> begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                             bool recheck) = 0;
  virtual void expect(const OffsetRange& range, const std::optional<RecordMark>& last,
                      bool recheck) = 0;
  virtual Result<kafka::ReadStep> read(std::size_t max_records, int wait_ms) = 0;
  virtual bool answers() const = 0;
  virtual std::optional<kafka::LostRange> lost() const = 0;
  virtual void forget(const TopicPartition& tp) = 0;
};

/// Any thread.
class Source {
 public:
  virtual ~Source() = default;

  virtual Result<std::unique_ptr<Planner>> planner() = 0;
  /// `options` as the engine has them by then: with the cluster's id.
  virtual Result<std::unique_ptr<Reader>> reader(const kafka::Options& options) = 0;
};

}  // namespace semel::source
