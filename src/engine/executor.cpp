#include "engine/executor.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>

#include "base/crash_point.hpp"
#include "base/kept_records.hpp"
#include "engine/jitter.hpp"

namespace semel::engine {

namespace {

// What one read may yield: enough that calls cost nothing, little enough that views stay in the
// cache and that large records do not fill the memory.
constexpr std::size_t records_per_read = 2'048;
constexpr std::size_t bytes_per_read = 1 << 20;
// How many tasks are fetched for before it is their turn: a fetch takes about as long as the rest
// of a small task, and what is fetched ahead is memory.
constexpr std::size_t tasks_to_fetch_ahead = 3;
// How soon a waiting task notices that it should stop.
constexpr int wait_ms = 50;
// So long a range's records were waited for: Kafka is slow, throttled perhaps.
constexpr auto long_wait = std::chrono::milliseconds(500);
// How long a stopping pipeline waits for a server that says nothing. A commit may have to wait for
// constraints, disks and replicas, and has all of the range to lose.
constexpr auto task_patience = std::chrono::seconds(2);
constexpr auto commit_patience = std::chrono::seconds(5);

core::TaskId id_of(const Task& task) {
  return {task.time, task.range.source};
}

std::size_t size_of(std::span<const Record> records) {
  std::size_t bytes = 0;
  for (const auto& record : records) {
    bytes += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  }
  return bytes;
}

}  // namespace

Executor::Executor(const PipelineOptions& options, Sink& sink, EventChannel& events,
                   const StopFlags& flags)
    : options_(options), sink_(sink), events_(events), flags_(flags), thread_([this] { run(); }) {}

Executor::~Executor() {
  close();
}

void Executor::moved(Clock::duration patience) {
  hope_until_ = (Clock::now() + patience).time_since_epoch().count();
}

bool Executor::stuck(Clock::time_point now) const {
  return busy() && now.time_since_epoch().count() > hope_until_.load();
}

void Executor::finish() {
  tasks_.close();
}

void Executor::close() {
  finish();
  if (thread_.joinable()) thread_.join();
}

void Executor::run() {
  // While the driver still reads its log and asks for offsets. What fails here fails again, and is
  // told, with the first task.
  if (connect()) session_->warm_up();
  while (const auto task = tasks_.pop()) {
    moved(task_patience);
    auto answer = execute(*task);
    if (!std::holds_alternative<core::TaskCommitted>(answer) && session_) session_->abort();
    hope_until_ = idle;
    events_.push(std::move(answer));
  }
  // In this thread, so that executors take leave of their servers at the same time.
  session_.reset();
  reader_.reset();
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
      event.bounds = core::LogBounds{.earliest = lost->earliest,
                                     .latest = lost->latest,
                                     .recreated = lost->recreated,
                                     .gone = lost->gone};
    }
  }
  return event;
}

/// Fetches ahead for the tasks that come next: where partitions are many and ranges small, waiting
/// for the first records of each would take longer than all the rest.
void Executor::fetch_ahead() {
  std::vector<Task> next;
  tasks_.look_at_first(tasks_to_fetch_ahead, [&next](const Task& task) {
    if (task.kind == TaskKind::load) next.push_back(task);
  });
  for (const auto& task : next) reader_->expect(task.range, task.last, task.recheck);
}

core::EventBody Executor::execute(const Task& task) {
  if (auto connected = connect(); !connected) return failed(task, connected.error());
  if (task.kind == TaskKind::load) return load(task);
  if (auto answer = begin_session(task)) return *std::move(answer);
  return commit(task, {}, 0, 0);
}

std::optional<core::EventBody> Executor::begin_session(const Task& task) {
  auto begun = session_->begin({&task, 1});
  if (!begun) return failed(task, begun.error());
  if (*begun) return core::TaskRefused{id_of(task), (*begun)->ledger};
  return std::nullopt;
}

std::size_t Executor::memory_for_kept() const {
  return static_cast<std::size_t>(options_.kafka.reader_memory_bytes) / 2;
}

core::EventBody Executor::load(const Task& task) {
  if (auto begun = reader_->begin(task.range, task.last, task.recheck); !begun) {
    return failed(task, begun.error());
  }
  fetch_ahead();
  // A transaction keeps a snapshot and locks. It begins with the first records, so that they are
  // written while the next are fetched; where these come slowly, it begins when all of them are
  // there, or as many as the memory is enough for.
  bool in_transaction = false;
  KeptRecords kept;
  Clock::duration waited{0};
  const auto write = [&](std::span<const Record> now) -> std::optional<core::EventBody> {
    if (!in_transaction) {
      if (auto answer = begin_session(task)) return answer;
      in_transaction = true;
      crash_point(CrashPoint::began_transaction);
    }
    if (auto written = session_->write(0, now); !written) return failed(task, written.error());
    crash_point(CrashPoint::wrote_rows);
    return std::nullopt;
  };
  const auto write_kept = [&]() -> std::optional<core::EventBody> {
    std::vector<Record> some;
    for (std::size_t i = 0; i < kept.size();) {
      some.clear();
      while (i < kept.size() && some.size() < records_per_read) some.push_back(kept[i++]);
      if (auto answer = write(some)) return answer;
      moved(task_patience);
    }
    kept.clear();
    return std::nullopt;
  };
  RangeEnd end{task.last};
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  auto last_read = Clock::now();
  while (true) {
    moved(task_patience);
    if (flags_.abandoned) {
      return failed(task, {ErrorKind::unavailable, Cause::internal, "abandoned while stopping"});
    }
    const auto asked = Clock::now();
    const auto step = reader_->read(
        std::clamp<std::size_t>(bytes_per_read / mean_record_bytes_, 1, records_per_read), wait_ms);
    if (!step) return failed(task, step.error());
    waited += Clock::now() - asked;
    if (!step->records.empty()) {
      const auto size = size_of(step->records);
      mean_record_bytes_ = std::max<std::size_t>(size / step->records.size(), 1);
      bytes += size;
      records += step->records.size();
      end.last = mark_of(step->records.back());
      const bool slow = source_is_slow_ || waited > long_wait;
      if (slow && !in_transaction && !step->end && kept.bytes() < memory_for_kept()) {
        for (const auto& record : step->records) kept.add(record);
      } else {
        if (auto answer = write_kept()) return *std::move(answer);
        if (auto answer = write(step->records)) return *std::move(answer);
      }
      last_read = Clock::now();
    }
    if (step->end) break;
    const auto idle = Clock::now() - last_read;
    if (flags_.stopping && idle > task_patience) {
      return failed(task,
                    {ErrorKind::unavailable, Cause::source, "Kafka said nothing while stopping"});
    }
    if (idle > std::chrono::milliseconds(options_.no_progress_timeout_ms)) {
      // librdkafka has given up by itself what was on its way (socket.timeout.ms).
      reader_->forget(task.range.source);
      const auto quiet = fmt::format("{}: nothing was read for {} ms", to_string(task.range),
                                     options_.no_progress_timeout_ms);
      if (!reader_->kafka_answers()) {
        return failed(task, {ErrorKind::unavailable, Cause::source,
                             quiet + ", and Kafka does not answer questions either"});
      }
      return failed(task,
                    {ErrorKind::retriable, Cause::source,
                     quiet + " though Kafka has records up to the range's end. A batch that is "
                             "damaged or a broker that does not answer looks like this"});
    }
  }
  source_is_slow_ = waited > long_wait;
  if (auto answer = write_kept()) return *std::move(answer);
  if (!in_transaction) {
    if (auto answer = begin_session(task)) return *std::move(answer);
  }
  return commit(task, end, records, bytes);
}

core::EventBody Executor::commit(const Task& task, const RangeEnd& end, std::uint64_t records,
                                 std::uint64_t bytes) {
  crash_point(CrashPoint::fetched_range);
  moved(commit_patience);
  auto result = session_->commit({&end, 1});
  crash_point(CrashPoint::committed);
  if (!result) return failed(task, result.error());
  if (const auto* refused = std::get_if<Refused>(&*result)) {
    return core::TaskRefused{id_of(task), refused->ledger};
  }
  const auto& counts = std::get<std::vector<Committed>>(*result).front();
  return core::TaskCommitted{id_of(task), counts, end.last, records, bytes};
}

}  // namespace semel::engine
