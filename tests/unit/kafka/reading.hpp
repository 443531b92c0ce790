// Short ways to write values and to read ranges, for the tests of this room.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "kafka/range_reader.hpp"
#include "support/kafka_producer.hpp"

namespace semel::test {

/// Produces PREFIX0, PREFIX1 ... and waits until they are in the log.
inline void send_values(KafkaProducer& producer, const std::string& topic, int partition, int count,
                        const std::string& prefix = "v") {
  for (int i = 0; i < count; ++i) {
    producer.produce(topic, partition, std::nullopt, prefix + std::to_string(i));
  }
  producer.flush();
}

struct Seen {
  Offset offset = 0;
  std::string value;
  RecordMark mark;
};

/// Reads the range that was begun to its end; an error, or none of it within `at_most`, throws.
inline std::vector<Seen> read_on(kafka::RangeReader& reader, std::size_t max_records = 1'000,
                                 std::chrono::seconds at_most = std::chrono::seconds(30)) {
  std::vector<Seen> seen;
  const auto give_up = std::chrono::steady_clock::now() + at_most;
  while (true) {
    const auto step = reader.read(max_records, 50);
    if (!step) throw std::runtime_error(step.error().message);
    for (const auto& record : step->records) {
      seen.push_back({record.offset, std::string(record.value.value_or("")), mark_of(record)});
    }
    if (step->end) return seen;
    if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("range never ended");
  }
}

inline std::vector<Seen> read_range(kafka::RangeReader& reader, const OffsetRange& range,
                                    const std::optional<RecordMark>& last = std::nullopt,
                                    bool recheck = false, std::size_t max_records = 1'000) {
  if (auto begun = reader.begin(range, last, recheck); !begun) {
    throw std::runtime_error(begun.error().message);
  }
  return read_on(reader, max_records);
}

inline std::vector<Offset> offsets_of(const std::vector<Seen>& seen) {
  std::vector<Offset> offsets;
  offsets.reserve(seen.size());
  for (const auto& record : seen) offsets.push_back(record.offset);
  return offsets;
}

/// from, from + 1, ... until - 1
inline std::vector<Offset> all_of(Offset from, Offset until) {
  std::vector<Offset> offsets;
  for (auto offset = from; offset < until; ++offset) offsets.push_back(offset);
  return offsets;
}

/// Reads the range that was begun until it fails, for at most 60 s.
inline Error read_to_failure(kafka::RangeReader& reader) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < give_up) {
    const auto step = reader.read(1'000, 50);
    if (!step) return step.error();
    if (step->end) throw std::runtime_error("the range ended without an error");
  }
  throw std::runtime_error("neither an end nor an error");
}

}  // namespace semel::test
