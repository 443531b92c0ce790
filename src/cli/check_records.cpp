#include "cli/check_records.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "kafka/range_reader.hpp"

namespace semel::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int read_wait_ms = 100;
constexpr std::size_t read_at_once = 500;
constexpr std::int64_t memory_bytes = 16ll << 20;
constexpr std::chrono::seconds patience{15};
/// A broker that does not let us read says so with the first answer to a fetch.
constexpr std::chrono::milliseconds refusal_comes_within{1'000};
constexpr int empty_topics_max = 10;

/// Reads `range` until `wanted` records were handed out or it ends; how many were. Nothing where
/// neither came within `bound`.
Result<std::optional<std::size_t>> read_range(kafka::RangeReader& reader, const OffsetRange& range,
                                              const std::optional<RecordMark>& last,
                                              std::size_t wanted, Clock::duration bound,
                                              const TakeRecords& take) {
  if (auto begun = reader.begin(range, last, false); !begun) return tl::unexpected(begun.error());
  std::size_t read = 0;
  for (const auto give_up = Clock::now() + bound; Clock::now() < give_up;) {
    const auto step = reader.read(std::min(wanted - read, read_at_once), read_wait_ms);
    if (!step && step.error().kind != ErrorKind::unavailable) return tl::unexpected(step.error());
    if (!step) continue;
    take(range.tp, step->records);
    read += step->records.size();
    if (step->end || read >= wanted) return read;
  }
  return std::nullopt;
}

tl::unexpected<Error> nothing_came(const TopicPartition& tp) {
  return fail(ErrorKind::unavailable, Cause::source,
              fmt::format("nothing of {} came within {} s, though Kafka has records there",
                          to_string(tp), patience.count()));
}

Result<std::unique_ptr<kafka::RangeReader>> connect(const app::PipelineConfig& config) {
  auto options = config.pipeline.kafka;
  options.reader_memory_bytes = memory_bytes;
  return kafka::RangeReader::connect(options, config.pipeline.name);
}

/// read_range() of what is wanted of a partition; where records are lost, behind them, if
/// `semel run` would go on there.
Result<std::optional<std::size_t>> read_on(const app::PipelineConfig& config,
                                           kafka::RangeReader& reader, const TopicPartition& tp,
                                           ReadFrom& from, std::size_t wanted,
                                           const TakeRecords& take, ReadTopics& topics) {
  auto read = read_range(reader, {tp, from.from, from.until}, from.last, wanted, patience, take);
  if (read || read.error().kind != ErrorKind::data_loss || !reader.lost()) return read;
  const auto log = *reader.lost();
  const auto lost_from = from.from;
  if (auto end = lost(config, tp, from, read.error(), {log.earliest, log.latest, log.recreated})) {
    return tl::unexpected(*std::move(end));
  }
  topics.skipped.push_back(skipped(tp, lost_from, from.from));
  if (from.from >= from.until) return std::optional<std::size_t>(0);
  return read_range(reader, {tp, from.from, from.until}, from.last, wanted, patience, take);
}

/// Partitions whose next records can be compared with what was committed come first in their topic:
/// the first one that is read tells whether it is still the same topic.
std::vector<TopicPartition> in_reading_order(const ReadFroms& froms) {
  std::vector<TopicPartition> order;
  for (const auto& [tp, from] : froms) order.push_back(tp);
  std::ranges::stable_sort(order, [&](const auto& a, const auto& b) {
    return std::pair(std::string_view(a.topic), !froms.at(a).last) <
           std::pair(std::string_view(b.topic), !froms.at(b).last);
  });
  return order;
}

}  // namespace

Result<std::optional<Error>> why_unreadable(const app::PipelineConfig& config,
                                            const TopicPartition& tp, const ReadFrom& from) {
  auto reader = connect(config);
  if (!reader) return tl::unexpected(reader.error());
  const auto read = read_range(**reader, {tp, from.from, from.until}, from.last, 1, patience,
                               [](const auto&, const auto&) {});
  if (read) return std::nullopt;
  if (read.error().kind != ErrorKind::data_loss) return tl::unexpected(read.error());
  return read.error();
}

Result<ReadTopics> read_records(const app::PipelineConfig& config, ReadFroms& froms,
                                std::size_t per_topic, const TakeRecords& take) {
  auto reader = connect(config);
  if (!reader) return tl::unexpected(reader.error());
  ReadTopics topics;
  std::map<std::string, std::size_t> taken;
  for (const auto& tp : in_reading_order(froms)) {
    auto& from = froms.at(tp);
    auto& count = taken[tp.topic];
    if (from.from >= from.until || count >= per_topic) continue;
    const auto read = read_on(config, **reader, tp, from, per_topic - count, take, topics);
    if (!read) return tl::unexpected(read.error());
    if (!*read) return nothing_came(tp);
    count += **read;
    (*reader)->forget(tp);
  }
  const TakeRecords ignore = [](const auto&, const auto&) {};
  int empty_ones = 0;
  for (const auto& [tp, position] : froms) {
    if (std::exchange(taken[tp.topic], 1) > 0) continue;
    // Nothing new in any partition: the beginning of one will do, or the place where the first
    // record is going to be.
    const bool empty = position.earliest >= position.until;
    if (empty && ++empty_ones > empty_topics_max) {
      ++topics.not_tried;
      continue;
    }
    const auto at = empty ? position.until : position.earliest;
    const auto read = read_range(**reader, {tp, at, empty ? at + 1 : position.until}, std::nullopt,
                                 1, empty ? refusal_comes_within : patience, ignore);
    if (!read) return tl::unexpected(read.error());
    if (!*read && !empty) return nothing_came(tp);
    (*reader)->forget(tp);
  }
  return topics;
}

}  // namespace semel::cli
