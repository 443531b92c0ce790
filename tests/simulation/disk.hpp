// The state directory: a plan log whose synced writes survive everything, whose other writes
// survive a killed process but not always a machine that loses power, and whose lock a stopped
// process holds.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/protocol.hpp"

namespace semel::simulation {

class PlanDirectory {
 public:
  void put(const core::Batch& batch, bool synced) {
    written_.emplace_back(batch.time, batch);
    if (synced) sync();
  }
  void erase(BatchTime time) { written_.emplace_back(time, std::nullopt); }

  /// In a write-ahead log a sync carries everything that was written before.
  void sync() {
    for (auto& [time, batch] : std::exchange(written_, {})) apply(durable_, time, batch);
  }

  /// Power is lost: a beginning of what was written survives, a torn record at its end does not.
  void lose_power(std::size_t survivors) {
    if (written_.size() > survivors) written_.resize(survivors);
    sync();
  }
  std::size_t unsynced() const { return written_.size(); }

  std::vector<core::Batch> load() const {
    auto plans = durable_;
    for (const auto& [time, batch] : written_) apply(plans, time, batch);
    std::vector<core::Batch> all;
    for (auto& [time, batch] : plans) all.push_back(batch);
    return all;
  }
  const core::Batch* durable(BatchTime time) const {
    const auto found = durable_.find(time);
    return found == durable_.end() ? nullptr : &found->second;
  }

  std::string holder;  ///< the process that has the lock

 private:
  using Plans = std::map<BatchTime, core::Batch>;
  static void apply(Plans& plans, BatchTime time, const std::optional<core::Batch>& batch) {
    if (batch) {
      plans[time] = *batch;
    } else {
      plans.erase(time);
    }
  }

  Plans durable_;
  std::vector<std::pair<BatchTime, std::optional<core::Batch>>> written_;
};

}  // namespace semel::simulation
