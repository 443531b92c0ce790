#include "engine/executor.hpp"

#include <fmt/format.h>
#include <chrono>

#include "base/crash_point.hpp"
#include "engine/jitter.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;

// Large enough that calls cost nothing, small enough that views stay in the cache.
constexpr std::size_t records_per_read = 2'048;
// How soon a waiting task notices that it should stop.
constexpr int wait_ms = 50;
// How long a stopping pipeline waits for a server that says nothing.
constexpr auto stop_patience = std::chrono::seconds(2);

core::TaskId id_of(const Task& task) {
  return {task.time, task.range.source};
}

std::uint64_t size_of(const Record& record) {
  return (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
}

}  // namespace

Executor::Executor(const PipelineOptions& options, Sink& sink, EventChannel& events,
                   const StopFlags& flags)
    : options_(options), sink_(sink), events_(events), flags_(flags), thread_([this] { run(); }) {}

Executor::~Executor() {
  close();
}

void Executor::close() {
  tasks_.close();
  if (thread_.joinable()) thread_.join();
}

void Executor::run() {
  while (const auto task = tasks_.pop()) {
    auto answer = execute(*task);
    if (!std::holds_alternative<core::TaskCommitted>(answer) && session_) session_->abort();
    events_.push(std::move(answer));
  }
}

Result<void> Executor::connect() {
  if (!reader_) {
    auto reader = kafka::RangeReader::connect(options_.kafka, options_.name);
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

core::EventBody Executor::failed(const Task& task, Error error) {
  // Whoever failed may not have known for which partition it worked.
  if (error.message.find(to_string(task.range.source)) == std::string::npos) {
    error.message = fmt::format("{}: {}", to_string(task.range), error.message);
  }
  core::TaskFailed event{id_of(task), std::move(error), jitter(), std::nullopt};
  if (event.error.kind == ErrorKind::data_loss && reader_) {
    if (const auto lost = reader_->lost()) {
      event.bounds = core::LogBounds{lost->earliest, lost->latest, lost->recreated};
    }
  }
  return event;
}

core::EventBody Executor::execute(const Task& task) {
  if (auto connected = connect(); !connected) return failed(task, connected.error());
  if (task.kind == TaskKind::load) return load(task);
  if (auto answer = begin_session(task)) return *std::move(answer);
  return commit(task, {}, 0, 0);
}

std::optional<core::EventBody> Executor::begin_session(const Task& task) {
  auto begun = session_->begin(task);
  if (!begun) return failed(task, begun.error());
  if (*begun) return core::TaskRefused{id_of(task), (*begun)->ledger};
  return std::nullopt;
}

core::EventBody Executor::load(const Task& task) {
  if (auto begun = reader_->begin(task.range, task.last, task.recheck); !begun) {
    return failed(task, begun.error());
  }
  // The transaction begins with the first records: none is held open while Kafka is waited for.
  bool in_transaction = false;
  RangeEnd end{task.last};
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  auto moved = Clock::now();
  while (true) {
    if (flags_.abandoned) {
      return failed(task, {ErrorKind::unavailable, Cause::internal, "abandoned while stopping"});
    }
    const auto step = reader_->read(records_per_read, wait_ms);
    if (!step) return failed(task, step.error());
    if (!step->records.empty()) {
      if (!in_transaction) {
        if (auto answer = begin_session(task)) return *std::move(answer);
        in_transaction = true;
        crash_point(CrashPoint::began_transaction);
      }
      for (const auto& record : step->records) bytes += size_of(record);
      records += step->records.size();
      end.last = mark_of(step->records.back());
      if (auto written = session_->write(step->records); !written) {
        return failed(task, written.error());
      }
      crash_point(CrashPoint::wrote_rows);
      moved = Clock::now();
    }
    if (step->end) break;
    const auto idle = Clock::now() - moved;
    if (flags_.stopping && idle > stop_patience) {
      return failed(task,
                    {ErrorKind::unavailable, Cause::source, "Kafka said nothing while stopping"});
    }
    if (idle > std::chrono::milliseconds(options_.no_progress_timeout_ms)) {
      return failed(
          task, {ErrorKind::retriable, Cause::source,
                 fmt::format("{}: nothing was read for {} ms though Kafka has records up to the "
                             "range's end. A batch that fails its checksum or a broker that does "
                             "not answer looks like this",
                             to_string(task.range), options_.no_progress_timeout_ms)});
    }
  }
  if (!in_transaction) {
    if (auto answer = begin_session(task)) return *std::move(answer);
  }
  return commit(task, end, records, bytes);
}

core::EventBody Executor::commit(const Task& task, const RangeEnd& end, std::uint64_t records,
                                 std::uint64_t bytes) {
  crash_point(CrashPoint::fetched_range);
  auto result = session_->commit(end);
  crash_point(CrashPoint::committed);
  if (!result) return failed(task, result.error());
  if (const auto* refused = std::get_if<Refused>(&*result)) {
    return core::TaskRefused{id_of(task), refused->ledger};
  }
  return core::TaskCommitted{id_of(task), std::get<Committed>(*result), end.last, records, bytes};
}

}  // namespace semel::engine
