// A thread that fetches ranges and commits them, one transaction at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <semel/sink.hpp>

#include "base/kept_records.hpp"
#include "engine/options.hpp"
#include "engine/shared.hpp"
#include "metrics/output.hpp"
#include "source/interface.hpp"

namespace semel::engine {

/// Every group of tasks submitted is answered by exactly one event (TaskCommitted, TaskRefused,
/// TaskFailed), unless the flags say `abandoned`. Must be destroyed before the sink and the
/// channel.
class Executor {
 public:
  /// `number`: of the executors of its output.
  Executor(const PipelineOptions& options, int number, Sink& sink, EventChannel& events,
           const StopFlags& flags, metrics::OutputMetrics& metrics);
  ~Executor();

  /// Tasks of one batch, for one transaction.
  void submit(std::vector<Task> tasks) { jobs_.push({std::move(tasks), {}}); }
  /// Another executor has the partition's next task: what was fetched of it is of no use here.
  void leave(const TopicPartition& tp) { jobs_.push({{}, tp}); }

  /// It has tasks. Any thread.
  bool busy() const { return hope_until_.load() != idle; }
  /// They have not moved for so long that who stops need not wait for it. Any thread.
  bool stuck(std::chrono::steady_clock::time_point now) const;

  /// Drops queued tasks; the running ones end by themselves. Does not wait.
  void finish();
  /// The same, and waits for the running ones.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::rep idle = 0;

  /// One or the other.
  struct Job {
    std::vector<Task> tasks;
    std::optional<TopicPartition> leave;
  };

  /// Tasks on their way into one transaction. It keeps a snapshot and locks, so it begins with the
  /// first records: they are written while the next are fetched. Where these come slowly, it begins
  /// when all of them are there, or as many as the memory is enough for.
  struct Attempt {
    std::span<const Task> tasks;
    std::vector<RangeEnd> ends;    ///< as far as is known
    std::vector<core::Done> done;  ///< likewise
    bool in_transaction = false;
    KeptRecords kept;
    std::vector<std::size_t> task_of_kept;
    Clock::duration waited{0};
  };
  /// The event to answer instead of going on.
  using Answer = std::optional<core::EventBody>;

  void run();
  /// The tasks move: it may take so long until they do so again.
  void made_progress(Clock::duration patience);
  core::EventBody execute(std::span<const Task> tasks);
  void fetch_ahead(std::span<const Task> rest);
  /// What slow ranges may take before their transaction begins. A Kafka that is slow fills little
  /// of what its client may take.
  std::size_t memory_for_kept() const;
  Answer load(Attempt& attempt, std::size_t task);
  Answer nothing_came(const Attempt& attempt, std::size_t task, Clock::duration idle);
  Answer take(Attempt& attempt, std::size_t task, std::span<const Record> records, bool end);
  Answer write(Attempt& attempt, std::size_t task, std::span<const Record> records);
  Answer write_kept(Attempt& attempt);
  Answer begin_session(Attempt& attempt);
  core::EventBody commit(Attempt& attempt);
  /// `task`: whose records could not be read.
  core::EventBody failed(std::span<const Task> tasks, Error error,
                         std::optional<std::size_t> task = std::nullopt);
  Result<void> connect();

  const PipelineOptions& options_;
  Sink& sink_;
  EventChannel& events_;
  const StopFlags& flags_;
  metrics::OutputMetrics& metrics_;
  metrics::Beat& beat_;
  Channel<Job> jobs_;
  std::unique_ptr<source::Reader> reader_;
  std::unique_ptr<SinkSession> session_;
  std::size_t mean_record_bytes_ = 16 << 10;  ///< of the read before; at first, a careful guess
  bool source_is_slow_ = false;               ///< the records of the range before were waited for
  std::atomic<Clock::rep> hope_until_{idle};
  std::thread thread_;
};

}  // namespace semel::engine
