// One pipeline from start to stop: the engine's door.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <semel/error.hpp>
#include <semel/sink.hpp>

#include "engine/driver_cost.hpp"
#include "engine/options.hpp"
#include "engine/state_directory.hpp"  // IWYU pragma: export

namespace semel::engine {

/// What a running pipeline shows: read by the progress bar and the log.
struct Snapshot {
  std::uint64_t offsets = 0;    ///< settled since the start
  std::uint64_t records = 0;    ///< read in them: rows + dead letters + ignored + suppressed
  std::uint64_t lost = 0;       ///< offsets, recorded as lost
  std::uint64_t uncounted = 0;  ///< offsets whose commit's answer was lost, and the counts with it
  std::uint64_t rows = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t unknown_fields = 0;
  std::uint64_t ignored = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t batches = 0;  ///< settled
  std::uint64_t retries = 0;
  std::int64_t lag =
      0;  ///< offsets between what is committed and what Kafka has (or the stop offsets)
  bool caught_up = false;
};

/// Makes the sink once the owner is known.
using SinkFactory = std::function<Result<std::unique_ptr<Sink>>(const Owner&)>;

/// "clicks, orders": what a pipeline reads, the same in whatever order it is configured.
std::string topics_of(const kafka::Options& kafka);

class Pipeline {
 public:
  Pipeline(PipelineOptions options, SinkFactory make_sink);
  ~Pipeline();

  /// Runs until stopped, until the stop offsets are reached (`once`), or until an error that only
  /// people can mend. Blocks. The final Snapshot on success. An Error's cause gives the exit code;
  /// Cause::fenced names the new owner. Nothing more is committed afterwards; close() takes leave.
  Result<Snapshot> run();

  /// After run(): ends the threads and the sessions, which may have to wait for servers. What is to
  /// be told is told before. The destructor does the same.
  void close();

  /// The start is over: request_stop() has running ranges to finish. Any thread.
  bool started() const noexcept;

  /// Finish running tasks, commit, return from run(). Any thread, more than once.
  void request_stop() noexcept;

  /// Any thread.
  Snapshot snapshot() const;

  /// After run().
  const DriverCost& driver_cost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::engine
