#include "cli/check_records.hpp"

#include <fmt/format.h>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "cli/format.hpp"
#include "kafka/range_reader.hpp"

namespace semel::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kafka_timeout_ms = 10'000;
constexpr int read_wait_ms = 100;
constexpr std::size_t read_at_once = 500;
constexpr std::int64_t memory_bytes = 16ll << 20;
constexpr std::chrono::seconds patience{15};
/// A broker that does not let us read says so with the first answer to a fetch.
constexpr std::chrono::milliseconds refusal_comes_within{1'000};
constexpr int empty_topics_max = 10;
constexpr std::size_t shown_bytes_max = 200;

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
    take(range.source, step->records);
    read += step->records.size();
    if (step->end || read >= wanted) return read;
  }
  return std::nullopt;
}

tl::unexpected<Error> nothing_came(const TopicPartition& source) {
  return fail(ErrorKind::unavailable, Cause::source,
              fmt::format("nothing of {} came within {} s, though Kafka has records there",
                          to_string(source), patience.count()));
}

/// What a terminal would obey instead of showing it, and what is too long.
std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (shown.size() >= shown_bytes_max && (text[i] & 0xC0) != 0x80) {
      return shown + fmt::format("... ({} bytes)", text.size());
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else if (c1) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else {
      shown += text[i];
    }
  }
  return shown;
}

/// In quotes where it could be taken for something else.
std::string shown(const std::optional<std::string>& value) {
  if (!value) return "NULL";
  const bool plain =
      !value->empty() && *value != "NULL" && value->find_first_of(" \"=()") == std::string::npos;
  if (plain) return printable(*value);
  std::string quoted;
  for (const char c : *value) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return "\"" + printable(quoted) + "\"";
}

/// How often a column had what.
struct Filling {
  std::size_t filled = 0;
  std::size_t by_default = 0;
  std::size_t rows = 0;
};

}  // namespace

Result<ReadFroms> read_froms(const config::PipelineConfig& config, kafka::PlannerClient& client,
                             const std::vector<TopicPartition>& sources,
                             const std::vector<Progress>& progress) {
  std::map<TopicPartition, Progress> known;
  std::set<std::string> known_topics;
  for (const auto& one : progress) {
    known.emplace(one.source, one);
    known_topics.insert(one.source.topic);
  }
  std::vector<TopicPartition> unknown;
  for (const auto& source : sources) {
    if (!known_topics.contains(source.topic)) unknown.push_back(source);
  }
  const auto earliest = client.earliest(sources, kafka_timeout_ms);
  if (!earliest) return tl::unexpected(earliest.error());
  const auto latest = client.latest(sources, kafka_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  std::map<TopicPartition, Offset> starts;
  if (!unknown.empty()) {
    auto resolved = client.resolve_start(unknown, config.pipeline.kafka.start,
                                         engine::below_earliest(config.pipeline), kafka_timeout_ms);
    if (!resolved) return tl::unexpected(resolved.error());
    starts = std::move(resolved->offsets);
  }
  ReadFroms froms;
  for (const auto& source : sources) {
    const auto first = earliest->find(source);
    const auto end = latest->find(source);
    if (first == earliest->end() || end == latest->end()) continue;
    ReadFrom from{.from = first->second, .earliest = first->second, .until = end->second};
    if (const auto found = known.find(source); found != known.end()) {
      from.from = found->second.until;
      from.last = found->second.last;
    } else if (const auto start = starts.find(source); start != starts.end()) {
      from.from = start->second;
    }
    froms.emplace(source, from);
  }
  return froms;
}

Result<ReadTopics> read_records(const config::PipelineConfig& config, const ReadFroms& from,
                                std::size_t per_topic, const TakeRecords& take) {
  auto options = config.pipeline.kafka;
  options.reader_memory_bytes = memory_bytes;
  auto reader = kafka::RangeReader::connect(options, config.pipeline.name);
  if (!reader) return tl::unexpected(reader.error());
  std::map<std::string, std::size_t> taken;
  for (const auto& [source, position] : from) {
    auto& count = taken[source.topic];
    if (position.from >= position.until || count >= per_topic) continue;
    const auto read = read_range(**reader, {source, position.from, position.until}, position.last,
                                 per_topic - count, patience, take);
    if (!read) return tl::unexpected(read.error());
    if (!*read) return nothing_came(source);
    count += **read;
    (*reader)->forget(source);
  }
  const TakeRecords ignore = [](const auto&, const auto&) {};
  ReadTopics topics;
  int empty_ones = 0;
  for (const auto& [source, position] : from) {
    if (std::exchange(taken[source.topic], 1) > 0) continue;
    // Nothing new in any partition: the beginning of one will do, or the place where the first
    // record is going to be.
    const bool empty = position.earliest >= position.until;
    if (empty && ++empty_ones > empty_topics_max) {
      ++topics.not_tried;
      continue;
    }
    const auto at = empty ? position.until : position.earliest;
    const auto read = read_range(**reader, {source, at, empty ? at + 1 : position.until},
                                 std::nullopt, 1, empty ? refusal_comes_within : patience, ignore);
    if (!read) return tl::unexpected(read.error());
    if (!*read && !empty) return nothing_came(source);
    (*reader)->forget(source);
  }
  return topics;
}

void print_sample(const std::vector<SampledRecord>& sampled) {
  std::vector<std::pair<std::string, Filling>> columns;
  const auto filling = [&](const std::string& name) -> Filling& {
    for (auto& [column, counts] : columns) {
      if (column == name) return counts;
    }
    return columns.emplace_back(name, Filling{}).second;
  };
  std::size_t rows = 0;
  std::size_t refused = 0;
  std::size_t suppressed = 0;
  for (const auto& record : sampled) {
    const auto where = fmt::format("{} offset {}", to_string(record.source), record.offset);
    if (record.fate == SampledRecord::Fate::refused) {
      ++refused;
      fmt::print("  ✗ {}: {}\n", where, printable(record.reason));
      continue;
    }
    if (record.fate == SampledRecord::Fate::ignored) {
      fmt::print("  - {}: no value (tombstone), ignored\n", where);
      continue;
    }
    if (record.fate == SampledRecord::Fate::suppressed) {
      ++suppressed;
      fmt::print("  - {}: suppressed, a trigger returned NULL\n", where);
      continue;
    }
    ++rows;
    std::string row;
    for (const auto& [name, value] : record.values) {
      row += fmt::format(" {}={}", printable(name), shown(value));
      auto& counts = filling(name);
      ++counts.rows;
      counts.filled += value ? 1 : 0;
    }
    for (const auto& name : record.defaults) {
      row += fmt::format(" {}=(default)", printable(name));
      auto& counts = filling(name);
      ++counts.rows;
      ++counts.by_default;
    }
    fmt::print("  ✓ {}:{}\n", where, row);
  }
  for (const auto& [name, counts] : columns) {
    fmt::print(
        "  column {}: filled in {} of {} rows{}\n", printable(name), counts.filled, counts.rows,
        counts.by_default == 0 ? ""
                               : fmt::format(", left to its default in {}", counts.by_default));
  }
  fmt::print("  {}: {}, {} refused, {} ignored{}; nothing was written\n",
             counted(sampled.size(), "record"), counted(rows, "row"), refused,
             sampled.size() - rows - refused - suppressed,
             suppressed == 0 ? "" : fmt::format(", {} suppressed by triggers", suppressed));
}

}  // namespace semel::cli
