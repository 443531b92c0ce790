#include "simulation/kafka.hpp"

#include <algorithm>

namespace semel::simulation {

Offset Log::last_stable() const {
  const auto open = std::ranges::find(entries, Entry::Kind::open, &Entry::kind);
  return open - entries.begin();
}

const Entry* Log::visible(Offset offset) const {
  if (offset < earliest || offset >= last_stable()) return nullptr;
  const auto& entry = entries[static_cast<std::size_t>(offset)];
  return entry.kind == Entry::Kind::data ? &entry : nullptr;
}

void Kafka::produce(Log& log, int records) {
  for (int i = 0; i < records; ++i) log.entries.push_back({Entry::Kind::data, next_id_++});
}

void Kafka::begin_transaction(Log& log, int records) {
  for (int i = 0; i < records; ++i) log.entries.push_back({Entry::Kind::open, next_id_++});
}

void Kafka::end_transaction(Log& log, bool commit) {
  bool any = false;
  for (auto& entry : log.entries) {
    if (entry.kind != Entry::Kind::open) continue;
    entry.kind = commit ? Entry::Kind::data : Entry::Kind::aborted;
    any = true;
  }
  if (any) produce_marker(log);
}

void Kafka::produce_marker(Log& log) {
  log.entries.push_back({Entry::Kind::marker, 0});
}

void Kafka::compact(Log& log, int nth) {
  const auto end = log.last_stable();
  int count = 0;
  for (Offset offset = log.earliest; offset + 1 < end; ++offset) {
    auto& entry = log.entries[static_cast<std::size_t>(offset)];
    if (entry.kind == Entry::Kind::data && ++count % nth == 0) entry.kind = Entry::Kind::removed;
  }
}

void Kafka::retain_from(Log& log, Offset earliest) {
  log.earliest = std::clamp(earliest, log.earliest, log.last_stable());
}

void Kafka::recreate(const TopicPartition& tp, int records) {
  auto& log = logs.at(tp);
  buried.push_back({tp, log});
  Log anew;
  anew.generation = log.generation + 1;
  anew.disturbances = log.disturbances + 1;
  anew.fills_up = true;
  produce(anew, records);
  log = std::move(anew);
}

}  // namespace semel::simulation
