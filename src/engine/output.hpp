// One output of a pipeline: one sink, and the driver that brings records there.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/sink.hpp>

#include "core/driver.hpp"
#include "engine/executor.hpp"
#include "engine/ledger_keeper.hpp"
#include "engine/news.hpp"
#include "engine/offsets_watcher.hpp"
#include "engine/pipeline.hpp"
#include "engine/plan_log.hpp"
#include "engine/shared.hpp"
#include "engine/steady_wall_clock.hpp"
#include "metrics/output.hpp"
#include "source/interface.hpp"

namespace semel::engine {

/// As the Pipeline's members of the same names, for its own output.
class Output {
 public:
  /// `one_of_several`: what it says to people names the output.
  /// `metrics` lives longer.
  Output(PipelineOptions options, Destination destination, bool one_of_several,
         metrics::OutputMetrics& metrics);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Result<Snapshot> run();
  /// Bounded in time: what the sink still waits for is interrupted after a while.
  void close();
  bool started() const noexcept { return started_; }
  void request_stop() noexcept;
  Snapshot snapshot() const;

 private:
  using Clock = std::chrono::steady_clock;

  const Log& log() const { return options_.log(); }

  // -- output_start.cpp: until the first event
  Result<void> start();
  /// Calls `attempt` until it succeeds; gives up on what waiting does not mend, after
  /// startup_timeout_ms, or when asked to stop (then with Cause::internal and kind unavailable).
  template <class Attempt>
  auto at_start(metrics::Contact& server, Attempt attempt) -> decltype(attempt());
  Result<void> find_source();
  Result<void> open_plans();
  /// What the output's owner before us left, here and in the ledger. Nobody is fenced by a process
  /// that could not go on afterwards.
  Result<core::TookOver> take_over(const Owner& owner);
  /// The plan log where it usually is, once whoever held it is fenced.
  Result<void> open_plans_again(std::vector<core::Batch>& recovered);
  /// As it is configured, if the sink can do so.
  core::CommitUnit commit_unit() const;
  void begin_work(const Owner& owner, core::TookOver took_over);

  // -- output.cpp: the loop around core::step
  /// From the first event to the end.
  Result<Snapshot> work();
  void drive();
  std::vector<core::Event> next_events();
  std::optional<core::EventBody> next_event(Clock::time_point until);
  /// Stopping, and no executor is worth waiting for.
  bool nothing_moves();
  /// Nothing new begins, and what runs is dropped unless all is `clean`. Does not wait.
  void let_go(bool clean);

  // -- output_metrics.cpp: what others see of it
  void publish();
  void publish_partitions();

  // -- output_actions.cpp: what the core wants done. False: the driver is done, and outcome_ says
  // how.
  bool obey(core::AskOffsets& ask);
  bool obey(core::EnterPartitions& enter);
  bool obey(core::PersistPlan& plan);
  bool obey(core::StartTasks& start);
  bool obey(core::ResolveDoubt& doubt);
  bool obey(core::ForgetBatch& forget);
  bool obey(core::TakeOver&);
  bool obey(core::ShowProgress& progress);
  bool obey(core::Notice& notice);
  bool obey(core::Finish& finish);
  bool stop(Error error);

  PipelineOptions options_;
  Destination destination_;
  std::string prefix_;  ///< of what is said to people: "output NAME: ", or empty
  EventChannel events_;
  StopFlags flags_;
  std::atomic<bool> started_{false};
  Clock::time_point stopping_since_{};  ///< as drive() saw it
  SteadyWallClock clock_;

  metrics::OutputMetrics& metrics_;
  metrics::Beat& beat_;
  bool partitions_changed_ = false;  ///< since they were published
  Clock::time_point partitions_published_{};
  metrics::DriverTurn turn_;  ///< of drive(), as far as it has come
  Result<Snapshot> outcome_;
  News news_;

  std::optional<std::string> failure_;  ///< by which run() ended; for the ledger

  // In the order in which they come to life; the destructor takes them down in reverse.
  std::unique_ptr<source::Planner> client_;  ///< until the watcher has it
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<PlanLog> plans_;
  std::string plans_note_;  ///< why it is not where it usually is
  std::unique_ptr<core::DriverState> state_;
  std::unique_ptr<LedgerKeeper> keeper_;
  std::unique_ptr<OffsetsWatcher> watcher_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

}  // namespace semel::engine
