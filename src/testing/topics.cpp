#include "testing/topics.hpp"

#include <fmt/format.h>
#include <utility>

#include <semel/failed.hpp>

namespace semel::testing {

namespace {

void read_headers(const void* message, std::vector<Header>& into) {
  for (const auto& [name, value] : static_cast<const Produced*>(message)->headers) {
    into.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  }
}

}  // namespace

void Topics::make(const std::string& topic, std::int32_t partitions) {
  auto& has = partitions_[topic];
  if (partitions < 1 || partitions < has) {
    throw Failed({ErrorKind::fatal, Cause::program,
                  fmt::format("topic {} is to have {} partitions: it has {}, and Kafka takes none "
                              "away",
                              topic, partitions, has)});
  }
  has = partitions;
}

Offset Topics::produce(const std::string& topic, std::int32_t partition, Produced record,
                       std::int64_t now_ms) {
  const auto found = partitions_.find(topic);
  if (found == partitions_.end() || partition < 0 || partition >= found->second) {
    throw Failed(
        {ErrorKind::fatal, Cause::program,
         fmt::format("a record is produced to {}[{}]: make it by topic()", topic, partition)});
  }
  if (!record.timestamp_ms) record.timestamp_ms = now_ms;
  auto& log = logs_[{topic, partition}];
  log.push_back(std::move(record));
  return static_cast<Offset>(log.size()) - 1;
}

std::vector<TopicPartition> Topics::partitions() const {
  std::vector<TopicPartition> all;
  for (const auto& [topic, partitions] : partitions_) {
    for (std::int32_t i = 0; i < partitions; ++i) all.push_back({topic, i});
  }
  return all;
}

Offset Topics::end(const TopicPartition& tp) const {
  const auto found = logs_.find(tp);
  return found == logs_.end() ? 0 : static_cast<Offset>(found->second.size());
}

std::vector<Record> Topics::read(const OffsetRange& range) const {
  const auto& log = logs_.at(range.tp);
  std::vector<Record> records;
  for (auto offset = range.from; offset < range.until; ++offset) {
    const auto& produced = log[static_cast<std::size_t>(offset)];
    records.push_back({.offset = offset,
                       .timestamp_ms = *produced.timestamp_ms,
                       .key = produced.key,
                       .value = produced.value,
                       .headers = {.message = &produced, .read = read_headers}});
  }
  return records;
}

}  // namespace semel::testing
