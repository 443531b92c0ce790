#include "engine/executor.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>

#include "base/crash_point.hpp"
#include "engine/reading.hpp"

namespace semel::engine {

namespace {

// How many tasks are fetched for before it is their turn: a fetch takes about as long as the rest
// of a small task, and what is fetched ahead is memory.
constexpr std::size_t tasks_to_fetch_ahead = 3;
// How soon a waiting task notices that it should stop.
constexpr int wait_ms = 50;
// So long a range's records were waited for: Kafka is slow, throttled perhaps.
constexpr auto long_wait = std::chrono::milliseconds(500);
// So long others wait for one with which they only share a transaction to save work.
constexpr auto long_wait_of_others = std::chrono::seconds(1);
// How long a stopping pipeline waits for a server that says nothing. A commit may have to wait for
// constraints, disks and replicas, and has all of the range to lose.
constexpr auto task_patience = std::chrono::seconds(2);
constexpr auto commit_patience = std::chrono::seconds(5);

/// So many of a group, from its first, have records in Kafka: all but ~batches, which is its last.
std::size_t to_read(std::span<const Task> tasks) {
  return tasks.size() - (is_batches(tasks.back().range.tp) ? 1 : 0);
}

}  // namespace

Executor::Executor(const PipelineOptions& options, int number, Sink& sink, EventChannel& events,
                   const StopFlags& flags, metrics::OutputMetrics& metrics)
    : options_(options),
      sink_(sink),
      events_(events),
      flags_(flags),
      metrics_(metrics),
      beat_(metrics.beats.add(fmt::format("executor {}", number))),
      thread_([this] { run(); }) {}

Executor::~Executor() {
  close();
}

void Executor::made_progress(Clock::duration patience) {
  hope_until_ = (Clock::now() + patience).time_since_epoch().count();
  beat_.works(patience_with(sink_));
}

bool Executor::stuck(Clock::time_point now) const {
  return busy() && now.time_since_epoch().count() > hope_until_.load();
}

void Executor::finish() {
  jobs_.close();
}

void Executor::close() {
  finish();
  if (thread_.joinable()) thread_.join();
}

void Executor::run() {
  // Connects already while the driver reads the plan log and asks Kafka for offsets, so that the
  // first task need not wait for it. What fails here is not told: the first task meets it again,
  // and tells it.
  if (connect()) session_->warm_up();
  while (const auto job = jobs_.pop()) {
    if (job->leave) {
      if (reader_) reader_->forget(*job->leave);
      continue;
    }
    made_progress(task_patience);
    metrics_.batch_times.started(job->tasks.front().time, Clock::now());
    auto answer = execute(job->tasks);
    if (!std::holds_alternative<core::TaskCommitted>(answer) && session_) session_->abort();
    hope_until_ = idle;
    beat_.rests();
    events_.push(std::move(answer));
  }
  // In this thread, so that executors take leave of their servers at the same time.
  session_.reset();
  reader_.reset();
}

Result<void> Executor::connect() {
  if (!reader_) {
    auto reader = options_.source->reader(options_.kafka);
    if (!reader) return tl::unexpected(reader.error());
    reader_ = *std::move(reader);
  }
  if (!session_) {
    auto session = sink_.open_session();
    if (!session) return tl::unexpected(session.error());
    session_ = *std::move(session);
  }
  return {};
}

core::EventBody Executor::failed(std::span<const Task> tasks, Error error,
                                 std::optional<std::size_t> task) {
  auto event = failure_of(tasks, std::move(error), task, reader_.get());
  const bool lost_sink =
      event.error.cause == Cause::sink &&
      (event.error.kind == ErrorKind::unavailable || event.error.kind == ErrorKind::in_doubt);
  if (lost_sink) metrics_.sink.failed(event.error.message);
  return event;
}

/// Fetches ahead for the tasks that come next: where partitions are many and ranges small, waiting
/// for the first records of each would take longer than all the rest.
void Executor::fetch_ahead(std::span<const Task> rest) {
  std::vector<Task> next(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                          rest.size(), tasks_to_fetch_ahead)));
  jobs_.look_at_first(tasks_to_fetch_ahead, [&next](const Job& job) {
    for (const auto& task : job.tasks) {
      const bool in_kafka = task.kind == TaskKind::load && !is_batches(task.range.tp);
      if (next.size() < tasks_to_fetch_ahead && in_kafka) next.push_back(task);
    }
  });
  for (const auto& task : next) reader_->expect(task.range, task.last, task.recheck);
}

core::EventBody Executor::execute(std::span<const Task> tasks) {
  if (auto connected = connect(); !connected) return failed(tasks, connected.error());
  Attempt attempt;
  attempt.tasks = tasks;
  for (const auto& task : tasks) {
    attempt.ends.push_back({task.last});
    attempt.done.emplace_back();
  }
  if (tasks.front().kind == TaskKind::load) {
    for (std::size_t i = 0; i < to_read(tasks); ++i) {
      if (auto answer = load(attempt, i)) return *std::move(answer);
    }
    if (to_read(tasks) > 0) source_is_slow_ = attempt.waited > long_wait;
    if (auto answer = write_kept(attempt)) return *std::move(answer);
  } else {
    attempt.ends.front().last.reset();
  }
  if (auto answer = begin_session(attempt)) return *std::move(answer);
  return commit(attempt);
}

Executor::Answer Executor::begin_session(Attempt& attempt) {
  if (std::exchange(attempt.in_transaction, true)) return std::nullopt;
  auto begun = session_->begin(attempt.tasks);
  if (!begun) return failed(attempt.tasks, begun.error());
  if (*begun) return core::TaskRefused{id_of(attempt.tasks), (*begun)->ledger, (*begun)->task};
  if (attempt.tasks.front().kind == TaskKind::load) crash_point(CrashPoint::began_transaction);
  return std::nullopt;
}

std::size_t Executor::memory_for_kept() const {
  return static_cast<std::size_t>(options_.kafka.reader_memory_bytes) / 2;
}

Executor::Answer Executor::write(Attempt& attempt, std::size_t task,
                                 std::span<const Record> records) {
  if (auto answer = begin_session(attempt)) return answer;
  if (auto written = session_->write(task, records); !written) {
    return failed(attempt.tasks, written.error());
  }
  crash_point(CrashPoint::wrote_rows);
  return std::nullopt;
}

Executor::Answer Executor::write_kept(Attempt& attempt) {
  std::vector<Record> some;
  for (std::size_t i = 0; i < attempt.kept.size();) {
    const auto task = attempt.task_of_kept[i];
    some.clear();
    while (i < attempt.kept.size() && attempt.task_of_kept[i] == task &&
           some.size() < records_per_read) {
      some.push_back(attempt.kept[i++]);
    }
    if (auto answer = write(attempt, task, some)) return answer;
    made_progress(task_patience);
  }
  attempt.kept.clear();
  attempt.task_of_kept.clear();
  return std::nullopt;
}

/// `end`: of all that is to be read.
Executor::Answer Executor::take(Attempt& attempt, std::size_t task, std::span<const Record> records,
                                bool end) {
  const auto size = size_of(records);
  mean_record_bytes_ = std::max<std::size_t>(size / records.size(), 1);
  attempt.done[task].bytes += size;
  attempt.done[task].records += records.size();
  metrics_.read(records.size(), size);
  attempt.ends[task].last = mark_of(records.back());
  const bool slow = source_is_slow_ || attempt.waited > long_wait;
  if (slow && !attempt.in_transaction && !end && attempt.kept.bytes() < memory_for_kept()) {
    for (const auto& record : records) {
      attempt.kept.add(record);
      attempt.task_of_kept.push_back(task);
    }
    return std::nullopt;
  }
  if (auto answer = write_kept(attempt)) return answer;
  return write(attempt, task, records);
}

Executor::Answer Executor::nothing_came(const Attempt& attempt, std::size_t task,
                                        Clock::duration idle) {
  const auto& range = attempt.tasks[task].range;
  const auto fails = [&](ErrorKind kind, std::string what) {
    return failed(attempt.tasks, {kind, Cause::source, std::move(what)}, task);
  };
  if (flags_.stopping && idle > task_patience) {
    return fails(ErrorKind::unavailable, "Kafka said nothing while stopping");
  }
  if (options_.commit == core::CommitUnit::automatic && attempt.tasks.size() > 1 &&
      idle > long_wait_of_others) {
    auto event = fails(ErrorKind::unavailable, "others would wait for it");
    std::get<core::TaskFailed>(event).slow = true;
    return event;
  }
  if (idle <= std::chrono::milliseconds(options_.no_progress_timeout_ms)) return std::nullopt;
  return failed(attempt.tasks, nothing_read(*reader_, range, options_.no_progress_timeout_ms),
                task);
}

Executor::Answer Executor::load(Attempt& attempt, std::size_t task) {
  const auto& [tasks, ends, done, in_transaction, kept, task_of_kept, waited] = attempt;
  const auto& wanted = tasks[task];
  if (auto begun = reader_->begin(wanted.range, wanted.last, wanted.recheck); !begun) {
    return failed(tasks, begun.error(), task);
  }
  fetch_ahead(tasks.first(to_read(tasks)).subspan(task + 1));
  auto last_read = Clock::now();
  while (true) {
    made_progress(task_patience);
    if (flags_.abandoned) {
      return failed(tasks, {ErrorKind::unavailable, Cause::internal, "abandoned while stopping"});
    }
    const auto asked = Clock::now();
    const auto step = reader_->read(records_to_read(mean_record_bytes_), wait_ms);
    if (!step) return failed(tasks, step.error(), task);
    attempt.waited += Clock::now() - asked;
    if (!step->records.empty()) {
      const bool all = step->end && task + 1 == to_read(tasks);
      if (auto answer = take(attempt, task, step->records, all)) return answer;
      last_read = Clock::now();
    }
    if (step->end) return std::nullopt;
    if (auto answer = nothing_came(attempt, task, Clock::now() - last_read)) return answer;
  }
}

core::EventBody Executor::commit(Attempt& attempt) {
  crash_point(CrashPoint::fetched_range);
  made_progress(commit_patience);
  const auto asked = Clock::now();
  auto result = session_->commit(attempt.ends);
  crash_point(CrashPoint::committed);
  if (!result) return failed(attempt.tasks, result.error());
  if (const auto* refused = std::get_if<Refused>(&*result)) {
    return core::TaskRefused{id_of(attempt.tasks), refused->ledger, refused->task};
  }
  metrics_.commit_took(Clock::now() - asked);
  const auto& counts = std::get<std::vector<Committed>>(*result);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    attempt.done[i].last = attempt.ends[i].last;
    metrics_.committed(attempt.done[i].records, attempt.done[i].bytes, counts[i]);
    attempt.done[i].counts = counts[i];
  }
  return core::TaskCommitted{id_of(attempt.tasks), std::move(attempt.done)};
}

}  // namespace semel::engine
