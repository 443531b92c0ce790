// What a listener is told of an output, put together from what the driver sees.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/listener.hpp>

#include "core/driver.hpp"
#include "engine/snapshot.hpp"

namespace semel::engine {

/// One thread uses it: the driver's. Without a listener it does nothing.
class News {
 public:
  /// `listener` may be nullptr; it lives longer.
  News(std::string output, PipelineListener* listener)
      : output_(std::move(output)), listener_(listener) {}

  /// Before the events change the state.
  void happened(std::span<const core::Event> events, const core::DriverState& state);
  void planned(const core::Batch& batch);
  /// A range is done; the state is the one after it.
  void moved(const TopicPartition& tp, const core::DriverState& state);
  /// All ranges of the batch are done, or dropped.
  void done(BatchTime time);
  void ended(const Result<Snapshot>& outcome);

 private:
  void on(const core::TookOver& event);
  void on(const core::TaskCommitted& event, const core::DriverState& state);

  struct Range {
    core::PlannedRange planned;
    std::optional<Committed> counts{};  ///< as far as they are known
    bool moved = false;                 ///< the ledger has it
  };
  Range* find(BatchTime time, const TopicPartition& tp);

  std::string output_;
  PipelineListener* listener_;
  std::map<BatchTime, std::vector<Range>> batches_;  ///< that are under way
};

}  // namespace semel::engine
