#include "engine/reading.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string>
#include <utility>

#include "engine/jitter.hpp"

namespace semel::engine {

namespace {

constexpr std::size_t bytes_per_read = 1 << 20;

std::string to_string(std::span<const Task> tasks) {
  if (is_batches(tasks.front().range.tp)) return "a batch without records";
  const auto first = semel::to_string(tasks.front().range);
  const auto count = tasks.size() - (is_batches(tasks.back().range.tp) ? 1 : 0);
  return count == 1 ? first : fmt::format("{} and {} more", first, count - 1);
}

}  // namespace

std::size_t records_to_read(std::size_t mean_record_bytes) {
  return std::clamp<std::size_t>(bytes_per_read / std::max<std::size_t>(mean_record_bytes, 1), 1,
                                 records_per_read);
}

std::size_t size_of(std::span<const Record> records) {
  std::size_t bytes = 0;
  for (const auto& record : records) {
    bytes += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  }
  return bytes;
}

core::TaskId id_of(std::span<const Task> tasks) {
  return {tasks.front().time, tasks.front().range.tp};
}

core::TaskFailed failure_of(std::span<const Task> tasks, Error error,
                            std::optional<std::size_t> task, const source::Reader* reader) {
  // Whoever failed may not have known for which partition it worked.
  const auto& at_fault = tasks[task.value_or(0)].range;
  if (error.message.find(semel::to_string(at_fault.tp)) == std::string::npos) {
    error.message =
        fmt::format("{}: {}", task ? semel::to_string(at_fault) : to_string(tasks), error.message);
  }
  core::TaskFailed event{id_of(tasks), std::move(error), jitter(), std::nullopt, task};
  if (event.error.kind == ErrorKind::data_loss && reader != nullptr) {
    if (const auto lost = reader->lost()) {
      event.bounds = core::LogBounds{.earliest = lost->earliest,
                                     .latest = lost->latest,
                                     .recreated = lost->recreated,
                                     .gone = lost->gone};
    }
  }
  return event;
}

Error nothing_read(source::Reader& reader, const OffsetRange& range, std::int64_t waited_ms) {
  // librdkafka has given up by itself what was on its way (socket.timeout.ms).
  reader.forget(range.tp);
  const auto quiet =
      fmt::format("{}: nothing was read for {} ms", semel::to_string(range), waited_ms);
  if (!reader.answers()) {
    return {ErrorKind::unavailable, Cause::source,
            quiet + ", and Kafka does not answer questions either"};
  }
  return {ErrorKind::retriable, Cause::source,
          quiet +
              " though Kafka has records up to the range's end. A batch that is damaged or a "
              "broker that does not answer looks like this"};
}

}  // namespace semel::engine
