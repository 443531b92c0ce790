// The thread that asks Kafka what there is, so that a slow broker never holds up the driver; and
// shows our progress to Kafka's lag tools.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <variant>

#include "engine/options.hpp"
#include "engine/shared.hpp"
#include "metrics/output.hpp"
#include "source/interface.hpp"

namespace semel::engine {

class OffsetsWatcher {
 public:
  /// Called in the watcher's thread with where new partitions begin.
  using OnStarts = std::function<void(std::vector<Progress>)>;

  OffsetsWatcher(const PipelineOptions& options, std::unique_ptr<source::Planner> client,
                 EventChannel& events, OnStarts on_starts, metrics::OutputMetrics& metrics);
  ~OffsetsWatcher();

  /// Answered by OffsetsSeen or OffsetsFailed.
  void ask(core::AskOffsets request) { jobs_.push(std::move(request)); }
  /// Answered by a call of `on_starts` for what could be resolved, by EnterFailed for the rest.
  void resolve(core::EnterPartitions request) { jobs_.push(std::move(request)); }
  /// Group offsets, shown at most once a second and when the watcher closes.
  void show(core::ShowProgress progress) { jobs_.push(std::move(progress)); }

  void close();

 private:
  using Job = std::variant<core::AskOffsets, core::EnterPartitions, core::ShowProgress>;

  void run();
  void work(const core::AskOffsets& request);
  void work(const core::EnterPartitions& request);
  void work(const core::ShowProgress& progress);
  bool all_shown() const;
  void show_pending();

  const PipelineOptions& options_;
  std::unique_ptr<source::Planner> client_;
  EventChannel& events_;
  OnStarts on_starts_;
  metrics::OutputMetrics& metrics_;
  metrics::Beat& beat_;
  std::map<TopicPartition, Offset> pending_;
  Channel<Job> jobs_;
  std::thread thread_;
};

}  // namespace semel::engine
