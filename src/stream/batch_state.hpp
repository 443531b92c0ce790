// What the stages of a pipeline remember, as one batch sees it and changes it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/stream/graph.hpp>
#include <semel/stream/state.hpp>

#include "state/store.hpp"

namespace semel::stream {

/// Keys in the store are the stage's name, a zero byte, and what the stage calls them. For one
/// thread. Both live longer.
class BatchState {
 public:
  BatchState(const detail::Graph& graph, const state::Store& store);
  ~BatchState();

  /// For Run::begin_batch().
  const std::map<detail::StageId, detail::StateOfStage*>& stages() const { return by_stage_; }
  /// All that the batch has changed.
  const state::Delta& delta() const { return delta_; }
  /// Forgets what a batch has changed.
  void clear();
  /// All that stages of these names have goes with the batch. Throws as describe_stages().
  void forget(const std::vector<std::string>& stages);
  /// Stages whose state is new tell how it is kept. Throws Failed where that cannot be read.
  void describe_stages();

 private:
  class OfStage;

  const detail::Graph& graph_;
  const state::Store& store_;
  state::Delta delta_;
  std::vector<std::unique_ptr<OfStage>> of_stages_;
  std::map<detail::StageId, detail::StateOfStage*> by_stage_;
};

/// Whether what is stored, or prepared, is what the stages keep: fatal (Cause::configuration) where
/// a value has another shape, or a name is in the store that no stage has, unless `dropped` names
/// it: then it is removed for ever.
Result<void> check_stages(const detail::Graph& graph, state::Store& store,
                          const std::vector<std::string>& dropped);

/// Where the state is: what people can do about it differs.
enum class StateAt : std::uint8_t { here, home };

/// The same, and nothing is removed: names that no stage has, and that are dropped.
Result<std::vector<std::string>> stages_left(const detail::Graph& graph, const state::Store& store,
                                             const std::vector<std::string>& dropped, StateAt at);

}  // namespace semel::stream
