// The log is not what it was: compacted, deleted from the front, created anew.
#include <chrono>
#include <thread>

#include "integration/kafka/fixture.hpp"
#include "support/hostile_kafka.hpp"

namespace semel::test {

using Catch::Contains;

TEST_CASE("compacted topic: survivors only, and ranges end where records are gone") {
  if (!kafka_available()) return;
  Topic topic(1, {{"cleanup.policy", "compact"},
                  {"segment.ms", "100"},
                  {"min.cleanable.dirty.ratio", "0.001"},
                  {"min.compaction.lag.ms", "0"},
                  {"max.compaction.lag.ms", "200"}});
  auto producer = topic.producer();
  for (int i = 0; i < 100; ++i) {
    producer.produce(topic.name, 0, "key" + std::to_string(i % 5), "v" + std::to_string(i));
    producer.flush();
  }
  // Only a closed segment is compacted: something must come after it, later.
  const auto survivors = [&] {
    producer.produce(topic.name, 0, "last", "last");
    producer.flush();
    return read_range(*topic.reader(), topic.range(0, 100)).size();
  };
  REQUIRE(eventually([&] { return survivors() < 100; }));
  const auto read_whole = [&] {
    return offsets_of(read_range(*topic.reader(), topic.range(0, 100)));
  };
  std::vector<Offset> whole;
  std::vector<Offset> in_steps;
  // Compaction may go on while the steps are read.
  REQUIRE(eventually([&] {
    whole = read_whole();
    in_steps.clear();
    const auto reader = topic.reader();
    for (Offset from = 0; from < 100; from += 10) {
      for (const auto& seen : read_range(*reader, topic.range(from, from + 10))) {
        in_steps.push_back(seen.offset);
      }
    }
    return read_whole() == whole;
  }));
  CHECK(in_steps == whole);
}

TEST_CASE("a marked record that was compacted or deleted proves nothing and is accepted") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 20);
  const auto mark = read_range(*topic.reader(), topic.range(0, 10)).back().mark;
  topic.server.delete_records(topic.name, 0, 10);
  REQUIRE(topic.earliest() == 10);
  CHECK(offsets_of(read_range(*topic.reader(), topic.range(10, 20), mark)) == all_of(10, 20));
}

TEST_CASE("retention that passed the position is lost data, with what there is") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 30);
  const auto reader = topic.reader();
  const auto mark = read_range(*reader, topic.range(0, 10)).back().mark;
  topic.server.delete_records(topic.name, 0, 15);
  REQUIRE(topic.earliest() == 15);
  const auto fresh = topic.reader();
  REQUIRE(fresh->begin(topic.range(10, 30), mark, false));
  const auto error = read_to_failure(*fresh);
  CHECK(error.kind == ErrorKind::data_loss);
  CHECK_THAT(error.message, Contains(topic.name + "[0]") && Contains("offset 10 is wanted") &&
                                Contains("begins at 15") && Contains("ends at 30"));
  REQUIRE(fresh->lost());
  CHECK(fresh->lost()->wanted == 10);
  CHECK(fresh->lost()->earliest == 15);
  CHECK(fresh->lost()->latest == 30);
  CHECK_FALSE(fresh->lost()->recreated);
  // What is left can be read.
  CHECK(offsets_of(read_range(*fresh, topic.range(15, 30), mark)) == all_of(15, 30));
}

TEST_CASE("a topic created anew and smaller is lost data") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 30);
  const auto reader = topic.reader();
  const auto mark = read_range(*reader, topic.range(0, 20)).back().mark;
  topic.server.delete_topic(topic.name);
  topic.server.create_topic(topic.name, 1);
  auto again = topic.producer();
  send_values(again, topic.name, 0, 3);
  const bool same_reader = GENERATE(true, false);
  const auto fresh = topic.reader();
  auto& used = same_reader ? *reader : *fresh;
  REQUIRE(used.begin(topic.range(20, 30), mark, false));
  const auto error = read_to_failure(used);
  CHECK(error.kind == ErrorKind::data_loss);
  REQUIRE(used.lost());
  CHECK(used.lost()->recreated);
  CHECK(used.lost()->latest == 3);
}

TEST_CASE("a topic created anew that has grown past the position is recognised by the mark") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 20);
  const auto reader = topic.reader();
  const auto mark = read_range(*reader, topic.range(0, 20)).back().mark;
  topic.server.delete_topic(topic.name);
  topic.server.create_topic(topic.name, 1);
  auto again = topic.producer();
  send_values(again, topic.name, 0, 50, "other");
  SECTION("by a new reader") {
    const auto fresh = topic.reader();
    REQUIRE(fresh->begin(topic.range(20, 50), mark, false));
    const auto error = read_to_failure(*fresh);
    CHECK(error.kind == ErrorKind::data_loss);
    CHECK_THAT(error.message, Contains("created anew"));
    CHECK(fresh->lost()->recreated);
    CHECK(fresh->lost()->latest == 50);
  }
  SECTION("by the reader that read the old one, without being told to look") {
    REQUIRE(reader->begin(topic.range(20, 50), {}, false));
    CHECK(read_to_failure(*reader).kind == ErrorKind::data_loss);
    CHECK(reader->lost()->recreated);
  }
}

// The fetch at the mark finds nothing there, because the new log is shorter still; whoever asks
// next finds one that has grown past the position.
TEST_CASE("a topic created anew that fills up while it is looked at is recognised by the mark") {
  if (!kafka_available()) return;
  Topic topic;
  HostileKafka proxy(topic.server.port());
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 50, "other");
  auto options = topic.options;
  options.brokers = proxy.address();
  const auto reader = kafka::RangeReader::connect(options, "p").value();
  constexpr std::int16_t out_of_range = 1;
  proxy.fail(Api::fetch, topic.name, 0, out_of_range);
  const RecordMark mark{.offset = 19, .timestamp_ms = 1, .checksum = 2};
  REQUIRE(reader->begin(topic.range(20, 50), mark, false));
  REQUIRE(eventually([&] {
    const auto step = reader->read(100, 20);
    REQUIRE(step);
    REQUIRE(step->records.empty());
    return proxy.requests(Api::fetch) > 1;
  }));
  proxy.fail(Api::fetch, topic.name, 0, 0);
  const auto error = read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::data_loss);
  CHECK_THAT(error.message, Contains("created anew"));
}

TEST_CASE("a topic created anew in the middle of a range is recognised before more is given out") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 20);
  const auto reader = topic.reader();
  // Planned further than the log goes yet, so that the reader is fetching all the time.
  REQUIRE(reader->begin(topic.range(0, 40), {}, false));
  std::vector<std::string> seen;
  while (seen.size() < 20) {
    const auto step = reader->read(100, 50);
    REQUIRE(step);
    for (const auto& record : step->records) seen.emplace_back(*record.value);
  }
  // Long enough that nothing is asked for any more but because of what happens now.
  for (int i = 0; i < 60; ++i) REQUIRE(reader->read(100, 50));
  topic.server.delete_topic(topic.name);
  topic.server.create_topic(topic.name, 1);
  auto again = topic.producer();
  send_values(again, topic.name, 0, 40, "other");
  const auto error = read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::data_loss);
  REQUIRE(reader->lost());
  CHECK(reader->lost()->recreated);
}

TEST_CASE("a deleted topic is unavailable at first, lost when it stays away") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  const auto reader = topic.reader();
  REQUIRE(read_range(*reader, topic.range(0, 5)).size() == 5);
  topic.server.delete_topic(topic.name);
  reader->forget(topic.tp);  // with what was prefetched
  REQUIRE(reader->begin(topic.range(5, 10), {}, false));
  auto error = read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::unavailable);
  while (error.kind == ErrorKind::unavailable) {
    REQUIRE(reader->begin(topic.range(5, 10), {}, false));
    error = read_to_failure(*reader);
  }
  CHECK(error.kind == ErrorKind::data_loss);
  CHECK_THAT(error.message, Contains("topic " + topic.name + " no longer exists"));
  CHECK(reader->lost()->wanted == 5);
}

TEST_CASE(
    "a topic that was missing for a moment long ago is given its time when it is missing again") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  const auto reader = topic.reader();
  REQUIRE(read_range(*reader, topic.range(0, 5)).size() == 5);
  topic.server.delete_topic(topic.name);
  reader->forget(topic.tp);  // with what was prefetched
  REQUIRE(reader->begin(topic.range(5, 10), {}, false));
  REQUIRE(read_to_failure(*reader).kind == ErrorKind::unavailable);
  const auto missing = std::chrono::steady_clock::now();

  topic.server.create_topic(topic.name, 1);
  auto again = topic.producer();
  send_values(again, topic.name, 0, 10);
  REQUIRE(read_range(*reader, topic.range(5, 10)).size() == 5);

  std::this_thread::sleep_until(missing + std::chrono::seconds(11));
  topic.server.delete_topic(topic.name);
  REQUIRE(reader->begin(topic.range(5, 10), {}, false));
  CHECK(read_to_failure(*reader).kind == ErrorKind::unavailable);
}

TEST_CASE("a range past the end of the log fails, saying where the log ends") {
  if (!kafka_available()) return;
  Topic topic;
  auto producer = topic.producer();
  send_values(producer, topic.name, 0, 10);
  const auto reader = topic.reader();
  REQUIRE(reader->begin(topic.range(0, 1'000), {}, false));
  const auto error = read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::retriable);
  CHECK_THAT(error.message, Contains("ends at offset 10"));
}

}  // namespace semel::test
