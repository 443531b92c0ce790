#include "source/queue_log.hpp"

namespace semel::source {

Result<LocalLog::Bounds> QueueLog::bounds() {
  return Bounds{.first = 0, .end = static_cast<Offset>(records_.size())};
}

Result<void> QueueLog::read(Offset from, Offset until, std::size_t max, KeptRecords& into) {
  for (; from < until && into.size() < max; ++from) {
    const auto& [value, key, timestamp_ms, sender, sequence] =
        records_[static_cast<std::size_t>(from)];
    Record record{.offset = from, .timestamp_ms = timestamp_ms, .value = value};
    if (key) record.key = *key;
    into.add(record);
  }
  return {};
}

}  // namespace semel::source
