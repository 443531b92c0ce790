// One pipeline from start to stop, with all its outputs: the engine's door.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/listener.hpp>
#include <semel/sink.hpp>

#include "core/batch_clock.hpp"
#include "engine/options.hpp"
#include "engine/owner.hpp"            // IWYU pragma: export
#include "engine/snapshot.hpp"         // IWYU pragma: export
#include "engine/state_directory.hpp"  // IWYU pragma: export
#include "metrics/pipeline.hpp"

namespace semel::engine {

class Output;

/// Makes the sink once the owner is known.
using SinkFactory = std::function<Result<std::unique_ptr<Sink>>(const Owner&)>;

/// One sink to write to, under a name that no other of the pipeline has.
struct Destination {
  std::string output = default_output;
  SinkFactory make_sink;
  std::int64_t interval_ms = 0;           ///< that it wants to be between batches at least
  std::int64_t session_memory_bytes = 0;  ///< of an executor's memory, what the sink's session has
  PipelineListener* listener = nullptr;   ///< throws nothing; lives longer than the pipeline
  core::BatchClock clock =
      core::BatchClock::none;  ///< of this output; none: PipelineOptions::clock
};

/// Outputs are independent: each has a driver, an owner, positions and a plan log of its own. They
/// share the process, and its memory_limit.
class Pipeline {
 public:
  /// At least one destination.
  Pipeline(PipelineOptions options, std::vector<Destination> destinations);
  ~Pipeline();

  /// Runs until stopped, until all outputs have reached the stop offsets (`once`), or until an
  /// error that only people can mend: where one output ends with an error, the others finish what
  /// they have begun. Blocks. The final snapshot() on success; else the error that was the first.
  /// An Error's cause gives the exit code; Cause::fenced names the new owner. Nothing more is
  /// committed afterwards; close() takes leave.
  Result<Snapshot> run();

  /// After run(): ends the threads and the sessions, which may have to wait for servers, and lets
  /// go of the plan log. What is to be told is told before. The destructor does the same.
  void close();

  /// The start of an output is over: request_stop() has running ranges to finish. Any thread.
  bool started() const noexcept;

  /// Finish running tasks, commit, return from run(). Any thread, more than once.
  void request_stop() noexcept;

  /// Of all outputs together. Any thread.
  Snapshot snapshot() const;
  /// Of each output, as the destinations are in order. Any thread.
  std::vector<Snapshot> snapshots() const;

  /// Written while it runs. Any thread.
  const metrics::PipelineMetrics& metrics() const { return metrics_; }

 private:
  void run(Output& output);

  Log log_;
  metrics::PipelineMetrics metrics_;  ///< written to by the outputs
  std::vector<std::unique_ptr<Output>> outputs_;
  std::mutex mutex_;
  std::optional<Error> first_error_;  ///< guarded by mutex_
};

}  // namespace semel::engine
