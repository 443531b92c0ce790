// One process of a trial: the driver, the outputs, their session and the state's store as they are,
// obeyed at once and in one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <semel/stream.hpp>
#include <semel/testing.hpp>

#include "base/log.hpp"
#include "core/driver.hpp"
#include "state/store.hpp"
#include "stream/content.hpp"
#include "stream/outputs.hpp"
#include "testing/world.hpp"

namespace semel::testing {

class Process {
 public:
  /// Makes the streams. Throws Failed where run() would refuse them. The world lives longer.
  Process(World& world, const Trial::Program& program, const TrialOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// All that is due at the world's time is done. Throws Failed with the error that the pipeline
  /// ends with, or Died; it is of no use then.
  void run();

  /// Partitions of its topics.
  std::vector<TopicPartition> reads() const;
  /// Topics that do not match are nobody's mistake then.
  bool reads_by_pattern() const;
  /// Its outputs, in their order.
  const std::vector<Table*>& tables() const { return tables_; }
  const stream::Pipeline& pipeline() const { return pipeline_; }

 private:
  const stream::detail::Graph& graph() const { return *pipeline_.content().graph; }
  void check_topics() const;
  void open_state(const TrialOptions& options);
  void step(core::EventBody first);
  void take_over(std::vector<core::Batch> recovered);
  core::EventBody attempt(const std::vector<Task>& tasks);
  core::OffsetsSeen answer(const core::AskOffsets& ask) const;

  // What the driver wants done.
  void obey(core::AskOffsets& ask);
  void obey(core::EnterPartitions& enter);
  void obey(core::PersistPlan& plan);
  void obey(core::StartTasks& start);
  void obey(core::ResolveDoubt& doubt);
  void obey(core::ForgetBatch& forget);
  void obey(core::TakeOver& take_over);
  void obey(core::ShowProgress&) {}
  void obey(core::Notice& notice);
  void obey(core::Finish& finish);

  World& world_;
  std::string id_;
  Log log_;
  stream::Pipeline pipeline_;
  std::vector<Table*> tables_;
  std::shared_ptr<state::Store> store_;
  std::unique_ptr<stream::Outputs> outputs_;
  std::unique_ptr<SinkSession> session_;
  core::DriverState state_;
  std::deque<core::EventBody> inbox_;
  bool started_ = false;
};

}  // namespace semel::testing
