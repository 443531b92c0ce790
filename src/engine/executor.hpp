// A thread that fetches ranges and commits them: one task at a time, partitions stick to it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <semel/sink.hpp>

#include "engine/options.hpp"
#include "engine/shared.hpp"
#include "kafka/range_reader.hpp"

namespace semel::engine {

/// Every task submitted is answered by exactly one event (TaskCommitted, TaskRefused, TaskFailed),
/// unless the flags say `abandoned`. Must be destroyed before the sink and the channel.
class Executor {
 public:
  Executor(const PipelineOptions& options, Sink& sink, EventChannel& events,
           const StopFlags& flags);
  ~Executor();

  void submit(Task task) { tasks_.push(std::move(task)); }

  /// It has a task. Any thread.
  bool busy() const { return hope_until_.load() != idle; }
  /// Its task has not moved for so long that who stops need not wait for it. Any thread.
  bool stuck(std::chrono::steady_clock::time_point now) const;

  /// Drops queued tasks; the running one ends by itself. Does not wait.
  void finish();
  /// The same, and waits for the running one.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::rep idle = 0;

  void run();
  /// The task moves: it may take so long until it does so again.
  void moved(Clock::duration patience);
  core::EventBody execute(const Task& task);
  void fetch_ahead();
  /// What a slow range may take before its transaction begins. A Kafka that is slow fills little
  /// of what its client may take.
  std::size_t memory_for_kept() const;
  core::EventBody load(const Task& task);
  core::EventBody commit(const Task& task, const RangeEnd& end, std::uint64_t records,
                         std::uint64_t bytes);
  /// The session has begun the task, or the event to answer instead.
  std::optional<core::EventBody> begin_session(const Task& task);
  core::EventBody failed(const Task& task, Error error);
  Result<void> connect();

  const PipelineOptions& options_;
  Sink& sink_;
  EventChannel& events_;
  const StopFlags& flags_;
  Channel<Task> tasks_;
  std::unique_ptr<kafka::RangeReader> reader_;
  std::unique_ptr<SinkSession> session_;
  std::size_t mean_record_bytes_ = 16 << 10;  ///< of the read before; at first, a careful guess
  bool source_is_slow_ = false;               ///< the records of the range before were waited for
  std::atomic<Clock::rep> hope_until_{idle};
  std::thread thread_;
};

}  // namespace semel::engine
