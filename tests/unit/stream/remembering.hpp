// Stages that remember something, batch by batch, with a store of their own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/batch_state.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/trial.hpp"

namespace semel::test {

/// A trial whose stages remember: each batch is prepared and applied.
class Remembering {
 public:
  Trial trial;

  Came one(const Values& values, std::int64_t time_ms) {
    if (!state_) state_.emplace(trial.graph(), *store_);
    state_->clear();
    state_->describe_stages();
    auto came = trial.one(values, time_ms, &state_->stages());
    prepare(time_ms);
    store_->apply().value();
    return came;
  }
  /// The batch is computed, and its change of the state never applied.
  void lose(const Values& values, std::int64_t time_ms) {
    state_->clear();
    state_->describe_stages();
    trial.one(values, time_ms, &state_->stages());
  }
  /// The batch is computed, and the process ends before its change is applied.
  void die_prepared(const Values& values, std::int64_t time_ms) {
    if (!state_) state_.emplace(trial.graph(), *store_);
    state_->clear();
    state_->describe_stages();
    trial.one(values, time_ms, &state_->stages());
    prepare(time_ms);
  }
  /// The outputs had the batch.
  void apply() { store_->apply().value(); }
  /// As after a restart with another program.
  Result<void> check(const Trial& other, const std::vector<std::string>& dropped = {}) {
    return stream::check_stages(other.graph(), *store_, dropped);
  }
  std::size_t keys() const {
    std::size_t keys = 0;
    store_
        ->scan("",
               [&keys](auto, auto) {
                 ++keys;
                 return true;
               })
        .value();
    return keys;
  }

 private:
  void prepare(std::int64_t time_ms) {
    const state::Version version{{time_ms}, static_cast<std::uint64_t>(time_ms)};
    store_->prepare({version, store_->stored().base, {}, 0}, state_->delta()).value();
  }

  TempDir dir_;
  std::unique_ptr<state::Store> store_ = state::Store::open((dir_.path() / "s").string()).value();
  std::optional<stream::BatchState> state_;
};

}  // namespace semel::test
