#include "kafka/range_reader.hpp"

#include <chrono>
#include <map>
#include <thread>

#include "bench/data/embedded_broker.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "unit/kafka/reading.hpp"

namespace semel::kafka {

using Catch::Contains;
using test::all_of;
using test::offsets_of;
using test::read_range;
using test::send_values;

namespace {

struct Log {
  std::unique_ptr<EmbeddedBroker> broker = EmbeddedBroker::start().value();
  Options options{.brokers = broker->bootstrap_servers()};
  test::KafkaProducer producer{options.brokers};
  TopicPartition tp{"t", 0};

  Log() { REQUIRE(broker->create_topic("t", 4)); }
  std::unique_ptr<RangeReader> reader() const { return RangeReader::connect(options, "p").value(); }
  OffsetRange range(Offset from, Offset until) const { return {tp, from, until}; }

  /// A topic of its own with `records` in each partition.
  void fill(const std::string& topic, int partitions, int records) {
    REQUIRE(broker->create_topic(topic, partitions));
    for (int partition = 0; partition < partitions; ++partition) {
      for (int i = 0; i < records; ++i) producer.produce(topic, partition, {}, "x");
    }
    producer.flush();
  }
};

}  // namespace

TEST_CASE("ranges of one and of many records are read to their last record") {
  Log log;
  send_values(log.producer, "t", 0, 1'000);
  const auto reader = log.reader();
  const auto until = GENERATE(1, 2, 999, 1'000);
  const auto from = GENERATE(0, 1, 998);
  if (from < until) {
    const auto seen = read_range(*reader, log.range(from, until));
    CHECK(offsets_of(seen) == all_of(from, until));
    CHECK(seen.back().value == "v" + std::to_string(until - 1));
  }
}

TEST_CASE("records produced after planning never appear in the range") {
  Log log;
  send_values(log.producer, "t", 0, 10);
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(0, 10), {}, false));
  send_values(log.producer, "t", 0, 10);
  CHECK(offsets_of(test::read_on(*reader)) == all_of(0, 10));
}

TEST_CASE("a complete range stays complete") {
  Log log;
  send_values(log.producer, "t", 0, 2);
  const auto reader = log.reader();
  REQUIRE(read_range(*reader, log.range(0, 1)).size() == 1);
  const auto step = reader->read(10, 0);
  REQUIRE(step);
  CHECK(step->end);
  CHECK(step->records.empty());
}

TEST_CASE("contiguous ranges give every record once, whatever the batch size") {
  Log log;
  send_values(log.producer, "t", 0, 500);
  const auto reader = log.reader();
  const auto batch = GENERATE(1U, 7U, 100U, 10'000U);
  std::vector<Offset> seen;
  for (Offset from = 0; from < 500; from += 9) {
    const auto range = log.range(from, std::min<Offset>(from + 9, 500));
    for (const auto& record : read_range(*reader, range, {}, false, batch)) {
      seen.push_back(record.offset);
    }
  }
  CHECK(seen == all_of(0, 500));
}

TEST_CASE("what was held back is given out first, even if it is more than one read takes") {
  Log log;
  send_values(log.producer, "t", 0, 100);
  const auto reader = log.reader();
  CHECK(read_range(*reader, log.range(0, 1), {}, false, 100).size() == 1);
  CHECK(offsets_of(read_range(*reader, log.range(1, 50), {}, false, 7)) == all_of(1, 50));
  CHECK(offsets_of(read_range(*reader, log.range(50, 100), {}, false, 3)) == all_of(50, 100));
}

TEST_CASE("a range is told only when its records are there") {
  Log log;
  send_values(log.producer, "t", 0, 3);
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(0, 5), {}, false));
  std::vector<Offset> seen;
  while (seen.size() < 3) {
    const auto step = reader->read(10, 50);
    REQUIRE(step);
    REQUIRE_FALSE(step->end);
    for (const auto& record : step->records) seen.push_back(record.offset);
  }
  send_values(log.producer, "t", 0, 3);
  for (const auto& record : test::read_on(*reader)) seen.push_back(record.offset);
  CHECK(seen == all_of(0, 5));
}

TEST_CASE("partitions are read in turns without disturbing each other") {
  Log log;
  for (int partition = 0; partition < 4; ++partition) {
    send_values(log.producer, "t", partition, 300);
  }
  const auto reader = log.reader();
  std::map<int, std::vector<Offset>> seen;
  for (Offset from = 0; from < 300; from += 100) {
    for (int partition = 0; partition < 4; ++partition) {
      const auto range = OffsetRange{{"t", partition}, from, from + 100};
      for (const auto& record : read_range(*reader, range, {}, false, 30)) {
        seen[partition].push_back(record.offset);
      }
    }
  }
  for (int partition = 0; partition < 4; ++partition) CHECK(seen[partition] == all_of(0, 300));
}

TEST_CASE("many partitions of one reader keep within its queues and lose nothing") {
  Log log;
  constexpr int partitions = 60;  // more than may hold a full queue
  log.fill("wide", partitions, 40);
  const auto reader = log.reader();
  std::map<int, std::vector<Offset>> seen;
  for (Offset from = 0; from < 40; from += 10) {
    for (int partition = 0; partition < partitions; ++partition) {
      const auto range = OffsetRange{{"wide", partition}, from, from + 10};
      for (const auto& record : read_range(*reader, range))
        seen[partition].push_back(record.offset);
    }
  }
  for (int partition = 0; partition < partitions; ++partition) {
    CHECK(seen[partition] == all_of(0, 40));
  }
}

TEST_CASE("a queue that was full is filled again as soon as there is room") {
  Log log;
  log.options.reader_memory_bytes = 0;  // as small as queues get: 2,000 messages, 64 KiB
  // A batch fills the queue, and one read empties it.
  const auto [records, size, batch] =
      GENERATE(std::tuple{20'000, 1, 2'000}, std::tuple{100, 30'000, 4});
  CAPTURE(records, size, batch);
  test::KafkaProducer producer(
      log.options.brokers, {{"batch.num.messages", std::to_string(batch)}, {"linger.ms", "1000"}});
  const std::string value(static_cast<std::size_t>(size), 'x');
  for (int i = 0; i < records; ++i) producer.produce("t", 0, {}, value);
  producer.flush();
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(0, records), {}, false));
  int waits = 0;
  int reads = 0;
  for (Offset next = 0; next < records;) {
    const auto step = reader->read(2'048, 50);
    REQUIRE(step);
    ++(step->records.empty() ? waits : reads);
    next += static_cast<Offset>(step->records.size());
  }
  // librdkafka before 2.2 pauses for a second, 20 waits, whenever the queue was full.
  CHECK(waits <= reads);
}

TEST_CASE("a range that is expected is fetched before it begins") {
  Log log;
  log.fill("two", 2, 10);
  const OffsetRange now{{"two", 0}, 0, 10};
  const OffsetRange next{{"two", 1}, 0, 10};
  std::size_t waiting = 0;
  // How long a fetch takes is not ours to say: longer and longer, until one is there in time.
  for (int wait_ms = 20; waiting == 0 && wait_ms < 20'000; wait_ms *= 2) {
    const auto reader = log.reader();
    REQUIRE(reader->begin(now, {}, false));
    reader->expect(next, {}, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    REQUIRE(reader->begin(next, {}, false));
    waiting = reader->read(100, 0).value().records.size();
  }
  CHECK(waiting == 10);
}

TEST_CASE("expecting changes nothing in what is read, not even where it was wrong") {
  Log log;
  constexpr int partitions = 30;  // more than may hold a full queue
  log.fill("wide", partitions, 40);
  const auto reader = log.reader();
  std::map<int, std::vector<Offset>> seen;
  for (Offset from = 0; from < 40; from += 10) {
    for (int partition = 0; partition < partitions; ++partition) {
      const auto range_of = [&](int p) {
        return OffsetRange{{"wide", p % partitions}, from, from + 10};
      };
      const auto range = range_of(partition);
      for (int ahead = 1; ahead <= 12; ++ahead)
        reader->expect(range_of(partition + ahead), {}, false);
      // One that will begin elsewhere, and the one that is read right now.
      reader->expect({{"wide", (partition + 1) % partitions}, from + 3, from + 5}, {}, false);
      reader->expect(range, {}, false);
      for (const auto& record : read_range(*reader, range))
        seen[partition].push_back(record.offset);
    }
  }
  for (int partition = 0; partition < partitions; ++partition) {
    CHECK(seen[partition] == all_of(0, 40));
  }
}

TEST_CASE("a range that was not read to its end is begun again") {
  Log log;
  send_values(log.producer, "t", 0, 100);
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(0, 100), {}, false));
  std::size_t some = 0;
  while (some == 0) some = reader->read(10, 50).value().records.size();
  CHECK(offsets_of(read_range(*reader, log.range(0, 100))) == all_of(0, 100));
}

TEST_CASE("a forgotten partition can be read again") {
  Log log;
  send_values(log.producer, "t", 0, 10);
  const auto reader = log.reader();
  CHECK(read_range(*reader, log.range(0, 5)).size() == 5);
  reader->forget(log.tp);
  reader->forget({"never", 3});
  CHECK_FALSE(reader->read(1, 0));  // nothing was begun
  CHECK(offsets_of(read_range(*reader, log.range(5, 10))) == all_of(5, 10));
}

TEST_CASE("a record keeps its key, value, timestamp and headers; absent and empty differ") {
  Log log;
  log.producer.produce("t", 0, "k", "v", {}, 1'234'567'890'123);
  log.producer.produce("t", 0, "", "", {}, 5);
  log.producer.produce("t", 0, {}, {}, {}, 6);
  log.producer.produce("t", 0, {}, "h", {{"a", "1"}, {"a", ""}, {"none", std::nullopt}});
  log.producer.flush();
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(0, 4), {}, false));
  std::vector<std::string> keys;
  std::vector<std::string> values;
  std::vector<std::int64_t> timestamps;
  std::vector<std::pair<std::string, std::string>> headers;
  while (true) {
    const auto step = reader->read(10, 50);
    REQUIRE(step);
    for (const auto& record : step->records) {
      keys.emplace_back(record.key.value_or("absent"));
      values.emplace_back(record.value.value_or("absent"));
      timestamps.push_back(record.timestamp_ms);
      for (const auto& header : record.headers()) {
        headers.emplace_back(header.name, header.value.value_or("absent"));
      }
    }
    if (step->end) break;
  }
  CHECK(keys == std::vector<std::string>{"k", "", "absent", "absent"});
  CHECK(values == std::vector<std::string>{"v", "", "absent", "h"});
  CHECK(timestamps[0] == 1'234'567'890'123);
  CHECK(timestamps[1] == 5);
  CHECK(headers == std::vector<std::pair<std::string, std::string>>{
                       {"a", "1"}, {"a", ""}, {"none", "absent"}});
}

TEST_CASE("a mark that fits is accepted, and its record is not read again") {
  Log log;
  send_values(log.producer, "t", 0, 20);
  const auto mark = read_range(*log.reader(), log.range(0, 10)).back().mark;
  CHECK(offsets_of(read_range(*log.reader(), log.range(10, 20), mark, false)) == all_of(10, 20));
  CHECK(offsets_of(read_range(*log.reader(), log.range(10, 20), mark, true)) == all_of(10, 20));
}

TEST_CASE("a mark that does not fit is lost data: another topic of the same name") {
  Log log;
  send_values(log.producer, "t", 0, 20);
  const auto good = read_range(*log.reader(), log.range(0, 10)).back().mark;
  auto mark = good;
  SECTION("another value") {
    mark.checksum ^= 1;
  }
  SECTION("another timestamp") {
    mark.timestamp_ms += 1;
  }
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(10, 20), mark, false));
  const auto error = test::read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::data_loss);
  CHECK(error.cause == Cause::data_loss);
  CHECK_THAT(error.message, Contains("created anew") && Contains("t[0]"));
  REQUIRE(reader->lost());
  CHECK(reader->lost()->recreated);
  CHECK(reader->lost()->wanted == 10);
  CHECK(reader->lost()->earliest == 0);
  CHECK(reader->lost()->latest == 20);
}

TEST_CASE("a recheck compares even where a range is contiguous") {
  Log log;
  send_values(log.producer, "t", 0, 20);
  const auto reader = log.reader();
  auto mark = read_range(*reader, log.range(0, 10)).back().mark;
  SECTION("the same log") {
    CHECK(offsets_of(read_range(*reader, log.range(10, 20), mark, true)) == all_of(10, 20));
  }
  SECTION("without a mark of the ledger the reader's own is used") {
    CHECK(offsets_of(read_range(*reader, log.range(10, 20), {}, true)) == all_of(10, 20));
  }
}

TEST_CASE("a mark far before the range is compared without reading all in between") {
  Log log;
  send_values(log.producer, "t", 0, 40'000);
  const auto mark = read_range(*log.reader(), log.range(0, 10)).back().mark;
  const auto reader = log.reader();
  CHECK(offsets_of(read_range(*reader, log.range(39'000, 40'000), mark)) == all_of(39'000, 40'000));
  auto wrong = mark;
  wrong.checksum ^= 1;
  REQUIRE(reader->begin(log.range(39'000, 40'000), wrong, false));
  CHECK(test::read_to_failure(*reader).kind == ErrorKind::data_loss);
}

TEST_CASE("an offset beyond the log's end is lost data, with what there is") {
  Log log;
  send_values(log.producer, "t", 0, 5);
  const auto reader = log.reader();
  REQUIRE(reader->begin(log.range(50, 60), {}, false));
  const auto error = test::read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::data_loss);
  CHECK_THAT(error.message,
             Contains("offset 50 is wanted") && Contains("begins at 0") && Contains("ends at 5"));
  REQUIRE(reader->lost());
  CHECK(reader->lost()->wanted == 50);
  CHECK(reader->lost()->latest == 5);
  // Another range of it can be read afterwards.
  CHECK(offsets_of(read_range(*reader, log.range(0, 5))) == all_of(0, 5));
  CHECK_FALSE(reader->lost());
}

TEST_CASE("brokers that cannot be reached are unavailable, with the reason") {
  Options options{.brokers = "127.0.0.1:1"};
  const auto reader = RangeReader::connect(options, "p").value();
  REQUIRE(reader->begin({{"t", 0}, 0, 1}, {}, false));
  const auto error = test::read_to_failure(*reader);
  CHECK(error.kind == ErrorKind::unavailable);
  CHECK(error.cause == Cause::source);
  CHECK_THAT(error.message, Contains("127.0.0.1:1") && Contains("Connection refused"));
  CHECK_FALSE(reader->lost());
}

}  // namespace semel::kafka
