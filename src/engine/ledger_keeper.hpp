// The thread that talks to the ledger outside of commits: keep-alives, doubts, take-overs, new
// partitions, trimming. So that an unreachable database never holds up the driver.
#pragma once

#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <semel/sink.hpp>

#include "engine/options.hpp"
#include "engine/shared.hpp"
#include "metrics/output.hpp"

namespace semel::engine {

class LedgerKeeper {
 public:
  LedgerKeeper(const PipelineOptions& options, Sink& sink, EventChannel& events,
               const StopFlags& flags, std::string cluster_id, metrics::OutputMetrics& metrics);
  ~LedgerKeeper();

  /// Answered by DoubtResolved or DoubtUnresolved.
  /// `tasks`: as they shared a transaction.
  void resolve(std::vector<Task> tasks) { jobs_.push(Resolve{std::move(tasks)}); }
  /// Tried until it succeeds; answered by Entered, or OwnerSeen where somebody else owns the
  /// output.
  void enter(std::vector<Progress> starts) { jobs_.push(Enter{std::move(starts)}); }
  /// Tried until it succeeds; answered by TookOver without recovered batches.
  void take_over() { jobs_.push(TakeOver{}); }

  void close();

 private:
  struct Enter {
    std::vector<Progress> starts;
  };
  struct TakeOver {};
  struct Resolve {
    std::vector<Task> tasks;
  };
  using Job = std::variant<Resolve, Enter, TakeOver>;

  void run();
  void keep_alive();
  bool trim();  ///< true: there is more
  void work(const Resolve& job);
  void work(const Enter& job);
  void work(const TakeOver&);
  /// The sink answered, or failed.
  template <class T>
  void told(const Result<T>& answer);
  /// Calls `attempt` until it succeeds, with back-off; reports Broke where only people can help.
  template <class Attempt>
  void until_done(Attempt attempt);

  const PipelineOptions& options_;
  Sink& sink_;
  EventChannel& events_;
  const StopFlags& flags_;
  std::string cluster_id_;
  metrics::OutputMetrics& metrics_;
  metrics::Beat& beat_;
  std::chrono::milliseconds patience_;  ///< of one call of the sink
  Channel<Job> jobs_;
  std::thread thread_;
};

}  // namespace semel::engine
