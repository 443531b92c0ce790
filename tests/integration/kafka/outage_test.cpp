// The broker goes away and comes back.
#include "integration/kafka/fixture.hpp"

namespace semel::test {

namespace {

/// Reads as an executor does: after an error that waiting mends, the range is begun again.
std::vector<Offset> read_with_retries(kafka::RangeReader& reader, const OffsetRange& range,
                                      const std::optional<RecordMark>& last, int& errors) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (std::chrono::steady_clock::now() < give_up) {
    REQUIRE(reader.begin(range, last, false));
    std::vector<Offset> seen;
    while (true) {
      const auto step = reader.read(500, 50);
      if (!step) {
        REQUIRE(step.error().kind == ErrorKind::unavailable);
        CHECK(step.error().cause == Cause::source);
        ++errors;
        break;
      }
      for (const auto& record : step->records) seen.push_back(record.offset);
      if (step->end) return seen;
    }
  }
  throw std::runtime_error("the broker came back, the records did not");
}

}  // namespace

TEST_CASE("the broker stops and starts in the middle of a range") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 5'000);
  const auto reader = topic.reader();
  const auto mark = read_range(*reader, topic.range(0, 1'000)).back().mark;
  reader->forget(topic.tp);
  const bool killed = GENERATE(true, false);
  killed ? topic.server.kill() : topic.server.stop();
  REQUIRE(reader->begin(topic.range(1'000, 5'000), mark, false));
  const auto error = read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::unavailable);
  topic.server.start();
  int errors = 0;
  CHECK(read_with_retries(*reader, topic.range(1'000, 5'000), mark, errors) ==
        all_of(1'000, 5'000));
}

TEST_CASE("a reader goes on by itself with the range that an outage interrupted") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 100);
  const auto reader = topic.reader();
  int errors = 0;
  // The rest of the range is written after the outage.
  REQUIRE(reader->begin(topic.range(0, 200), {}, false));
  std::vector<Offset> seen;
  while (seen.size() < 100) {
    const auto step = reader->read(1'000, 50);
    REQUIRE(step);
    for (const auto& record : step->records) seen.push_back(record.offset);
  }
  topic.server.kill();
  topic.server.start();
  auto again = topic.producer();
  send_values(again, topic.name, 0, 100);
  while (true) {
    const auto step = reader->read(1'000, 50);
    if (!step) {
      REQUIRE(step.error().kind == ErrorKind::unavailable);
      seen = read_with_retries(*reader, topic.range(0, 200), {}, errors);
      break;
    }
    for (const auto& record : step->records) seen.push_back(record.offset);
    if (step->end) break;
  }
  CHECK(seen == all_of(0, 200));
}

TEST_CASE("the planner answers again after an outage, and says why it did not") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 7);
  const auto planner = topic.planner();
  REQUIRE(planner->latest({&topic.tp, 1}, timeout_ms).value().at(topic.tp) == 7);
  topic.server.kill();
  const auto down = planner->latest({&topic.tp, 1}, 1'000);
  REQUIRE_FALSE(down);
  CHECK(down.error().kind == ErrorKind::unavailable);
  CHECK_THAT(down.error().message, Catch::Contains(topic.options.brokers));
  topic.server.start();
  CHECK(eventually([&] {
    const auto latest = planner->latest({&topic.tp, 1}, 2'000);
    return latest && latest->at(topic.tp) == 7;
  }));
}

}  // namespace semel::test
