// A whole pipeline in a program: what `semel run` is made of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <semel/api.hpp>
#include <semel/config.hpp>
#include <semel/failed.hpp>
#include <semel/listener.hpp>
#include <semel/log.hpp>
#include <semel/sink.hpp>
#include <semel/snapshot.hpp>

namespace semel {

/// Makes a sink for `owner`, which is about to take over. Called from a thread of the pipeline,
/// once at the start, and again while what it fails with is `unavailable` or `retriable`. What it
/// throws is as a fatal error with Cause::sink.
using SinkFactory = std::function<Result<std::unique_ptr<Sink>>(const Owner& owner)>;

/// An output whose sink the program brings.
struct OwnOutput {
  /// Which batches move ~batches (batches_topic), too: a partition that is not in Kafka, for rows
  /// that have no record's offset. More than not_counted needs batch.commit = "batch".
  enum class Batches : std::uint8_t {
    not_counted,    ///< none: there is no such partition
    with_records,   ///< each that has records to read
    each_interval,  ///< likewise, and one in each batch.interval in which there is nothing to read
  };

  /// What ledger and plan log call it: letters, digits, _ and - only, at most 63. "default" is the
  /// name of a pipeline's only output.
  std::string name = "default";
  SinkFactory make_sink{};                 ///< must be there
  Batches batches = Batches::not_counted;  ///< see there
};

/// Given the sink that the configuration makes for an output, returns the one to use: its own,
/// which calls the other (<semel/forwarding.hpp>). Called from a thread of the pipeline; never for
/// an OwnOutput.
using SinkWrapper = std::function<Result<std::unique_ptr<Sink>>(std::string_view output,
                                                                std::unique_ptr<Sink> configured)>;

/// What a program brings to a pipeline beside its configuration. All of it is optional.
struct PipelineSetup {
  /// Lines of the level `log_level` of the configuration and above. Empty: warnings and errors go
  /// to standard error.
  LogCallback log{};
  /// Shared: it lives as long as the pipeline needs it.
  std::shared_ptr<PipelineListener> listener{};
  /// Beside those that the configuration names by its [sink.*]; with one of these it needs none.
  std::vector<OwnOutput> outputs{};
  SinkWrapper wrap{};  ///< for the sinks that the configuration makes
  /// Stop at the ends of the partitions that are seen at the start.
  bool once = false;
  /// Go on from the ledger into another target (table, file) than before.
  bool accept_changed_target = false;
  /// Only this output of those that there are. Empty: all.
  std::string only_output{};
};

/// What one output has done.
struct OutputSnapshot {
  std::string output;  ///< its name
  Snapshot done;       ///< what it has done
};

/// Moves records from Kafka into one or several outputs, each exactly once as its sink can promise
/// it. Several may run in one process. It installs no signal handler, and never ends the process.
///
/// Threads: each output has 1 + `executors` + 2 of them while it runs, and librdkafka has its own;
/// `http.listen` adds those of a small server. Every member may be called from any thread while it
/// lives, but run() once, and close() and the destructor only when run() has returned.
///
/// Of one that was moved from, run() is an error, members that are noexcept do nothing (its name is
/// empty, its log level info), and the others throw Failed.
class SEMEL_API Pipeline {
 public:
  /// Checks the configuration, and listens where `http.listen` says; asks no server. Errors: fatal,
  /// Cause::configuration, as Config::check().
  static Result<Pipeline> create(const Config& config, PipelineSetup setup = {});

  /// Not while another thread uses it.
  Pipeline(Pipeline&& other) noexcept;
  Pipeline& operator=(Pipeline&& other) noexcept;  ///< Ends what this was, as the destructor.
  /// As close().
  ~Pipeline();

  /// Runs in the caller's thread until request_stop(), until all outputs have reached the ends seen
  /// at the start (PipelineSetup::once), or until an error that only people can mend: an outage of
  /// a server is waited out, but for the first `timeouts.startup`. Where one output ends with an
  /// error, the others finish what they have begun. What was done, or the error that was the first;
  /// its cause says who must act, Cause::fenced that another process has taken over. Once.
  Result<Snapshot> run();

  /// run() finishes and commits the ranges that are being read, and returns. Servers that say
  /// nothing are not waited for: within 10 s it returns, and what was not committed is read again
  /// by the next process. Safe at any time, more than once; not from a signal handler, since it
  /// takes locks.
  void request_stop() noexcept;

  /// Ends threads and sessions, and tells the ledger that we are gone. Servers that answer need a
  /// tenth of a second; for those that do not, it waits for a bounded time
  /// (docs/guides/library.md). More than once is as once.
  void close() noexcept;

  /// Whether the start of an output is over: from then on request_stop() has ranges to finish.
  bool started() const noexcept;

  /// Of all outputs together. Also after run().
  Snapshot snapshot() const;
  /// Of each output, in the order of the configuration, then of PipelineSetup::outputs.
  std::vector<OutputSnapshot> outputs() const;

  /// All metrics of the pipeline, in the text format of Prometheus; metrics of the process are
  /// among them (docs/reference/metrics.md).
  std::string metrics_text() const;

  /// For people: "pipeline clicks: topic clicks at localhost:9092 into postgres table clicks".
  std::string describe() const;
  /// `name` of the configuration.
  const std::string& name() const noexcept;
  /// `log_level` of the configuration.
  LogLevel log_level() const noexcept;
  /// Whether it prints records to the process's standard output ([sink.console]): whatever else the
  /// program has to say belongs elsewhere then.
  bool has_standard_output() const;

 private:
  friend struct PipelineParts;  // src/library/with_source.hpp
  struct Impl;
  explicit Pipeline(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// The sink that `config` makes for its output `output`, by itself: for a program that moves the
/// records itself. It connects once. Fails as Config::check(), or as the sink's server does.
SEMEL_API Result<std::unique_ptr<Sink>> make_sink(const Config& config, const std::string& output,
                                                  const Owner& owner, LogCallback log = {});

}  // namespace semel
