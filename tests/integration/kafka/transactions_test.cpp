// Ranges over transactions: what is invisible ends no range early and keeps none open.
#include "integration/kafka/fixture.hpp"

namespace semel::test {

namespace {

enum class Fate { commit, abort };

/// A topic that is written in transactions, and what a reader must see of it.
struct TransactionalLog {
  Topic topic;
  KafkaProducer writer{topic.options.brokers, {{"transactional.id", unique_name("writer")}}};
  std::vector<std::string> committed;
  int next = 0;
  Offset end = 0;  ///< of the log, markers included

  void write(Fate fate, int count) {
    writer.begin();
    for (int i = 0; i < count; ++i) {
      const auto value = "v" + std::to_string(next++);
      writer.produce(topic.name, 0, std::nullopt, value);
      if (fate == Fate::commit) committed.push_back(value);
    }
    fate == Fate::commit ? writer.commit() : writer.abort();
    end += count + 1;
  }
  /// The last stable offset comes to `offset`: brokers write markers after they have confirmed.
  bool comes_to(Offset offset) const {
    const auto planner = topic.planner();
    return eventually([&] {
      return planner->latest({&topic.tp, 1}, timeout_ms).value().at(topic.tp) == offset;
    });
  }
  /// Everything that can be read in ranges of `step` offsets, by one reader.
  std::vector<std::string> read_in_steps(Offset step) const {
    std::vector<std::string> values;
    const auto reader = topic.reader();
    REQUIRE(comes_to(end));
    std::optional<RecordMark> mark;
    for (Offset from = 0; from < end; from += step) {
      for (const auto& seen :
           read_range(*reader, topic.range(from, std::min(from + step, end)), mark)) {
        values.push_back(seen.value);
        mark = seen.mark;
      }
    }
    return values;
  }
};

}  // namespace

TEST_CASE("aborted transactions at the head, in the middle and at the tail are invisible") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::abort, 4);
  log.write(Fate::commit, 3);
  log.write(Fate::abort, 5);
  log.write(Fate::abort, 1);
  log.write(Fate::commit, 2);
  log.write(Fate::abort, 6);
  REQUIRE(log.end == 4 + 3 + 5 + 1 + 2 + 6 + 6);  // a marker each
  for (const Offset step : {1, 2, 3, 5, 100}) CHECK(log.read_in_steps(step) == log.committed);
}

TEST_CASE("a range of aborted records only ends, at the tail of the log too") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 2);  // [0, 2), marker at 2
  log.write(Fate::abort, 10);  // [3, 13), marker at 13
  const auto reader = log.topic.reader();
  CHECK(read_range(*reader, log.topic.range(0, 3)).size() == 2);
  CHECK(read_range(*reader, log.topic.range(3, 14)).empty());
  log.write(Fate::commit, 1);
  CHECK(offsets_of(read_range(*reader, log.topic.range(14, 16))) == std::vector<Offset>{14});
}

TEST_CASE("the end of a partition that came before its range was planned is not forgotten") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 5);  // [0, 5), marker at 5
  log.write(Fate::abort, 5);   // [6, 11), marker at 11
  const auto reader = log.topic.reader();
  // Everything is prefetched by the first of these ranges, and the end with it.
  CHECK(read_range(*reader, log.topic.range(0, 1)).size() == 1);
  CHECK(read_range(*reader, log.topic.range(1, 6)).size() == 4);
  CHECK(read_range(*reader, log.topic.range(6, 9)).empty());
  CHECK(read_range(*reader, log.topic.range(9, 12)).empty());
}

TEST_CASE("a range that holds only markers, followed by data: no duplicate") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 1);
  const auto reader = log.topic.reader();
  const auto first = read_range(*reader, log.topic.range(0, 1));
  CHECK(read_range(*reader, log.topic.range(1, 2), first.back().mark).empty());
  log.write(Fate::commit, 2);
  CHECK(offsets_of(read_range(*reader, log.topic.range(2, 5), first.back().mark)) ==
        std::vector<Offset>{2, 3});
}

TEST_CASE("an open transaction is not planned, and read once it is committed") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 2);
  log.writer.begin();
  log.writer.produce(log.topic.name, 0, std::nullopt, "open");
  log.writer.flush();
  REQUIRE(log.comes_to(3));
  auto plain = log.topic.producer();
  send_values(plain, log.topic.name, 0, 3);
  CHECK(log.topic.latest() == 3);
  const auto reader = log.topic.reader();
  CHECK(read_range(*reader, log.topic.range(0, 3)).size() == 2);
  log.writer.commit();
  REQUIRE(log.comes_to(8));
  CHECK(offsets_of(read_range(*reader, log.topic.range(3, 8))) == std::vector<Offset>{3, 4, 5, 6});
}

TEST_CASE("aborted records whose marker is behind the last stable offset end with the partition") {
  if (!kafka_available()) return;
  TransactionalLog log;
  KafkaProducer other{log.topic.options.brokers, {{"transactional.id", unique_name("other")}}};
  log.writer.begin();
  for (int i = 0; i < 3; ++i) log.writer.produce(log.topic.name, 0, std::nullopt, "aborted");
  log.writer.flush();
  other.begin();
  other.produce(log.topic.name, 0, std::nullopt, "open");
  other.flush();
  log.writer.abort();  // the marker, at 4, is not visible yet: nothing moves the reader's position
  REQUIRE(log.comes_to(3));
  const auto reader = log.topic.reader();
  CHECK(read_range(*reader, log.topic.range(0, 1)).empty());
  CHECK(read_range(*reader, log.topic.range(1, 3)).empty());
  other.commit();
  REQUIRE(log.comes_to(6));
  CHECK(offsets_of(read_range(*reader, log.topic.range(3, 6))) == std::vector<Offset>{3});
}

TEST_CASE("read_uncommitted plans and reads everything but the markers") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 2);  // [0, 2), marker at 2
  log.write(Fate::abort, 2);   // [3, 5), marker at 5
  log.writer.begin();
  log.writer.produce(log.topic.name, 0, std::nullopt, "open");
  log.writer.flush();
  log.topic.options.isolation = kafka::Isolation::read_uncommitted;
  REQUIRE(log.comes_to(7));
  const auto reader = log.topic.reader();
  CHECK(offsets_of(read_range(*reader, log.topic.range(0, 4))) == std::vector<Offset>{0, 1, 3});
  CHECK(offsets_of(read_range(*reader, log.topic.range(4, 7))) == std::vector<Offset>{4, 6});
  log.writer.abort();
}

TEST_CASE("commit and abort, mixed and rapid, in ranges of every size") {
  if (!kafka_available()) return;
  TransactionalLog log;
  for (int i = 0; i < 60; ++i) log.write(i % 3 == 0 ? Fate::abort : Fate::commit, 1 + i % 4);
  for (const Offset step : {1, 4, 7, 64}) CHECK(log.read_in_steps(step) == log.committed);
}

TEST_CASE("a bounded read of a transactional topic whose head was deleted finishes") {
  if (!kafka_available()) return;
  TransactionalLog log;
  log.write(Fate::commit, 10);  // [0, 10), marker at 10
  log.write(Fate::abort, 5);    // [11, 16), marker at 16
  log.topic.server.delete_records(log.topic.name, 0, 4);
  REQUIRE(log.topic.earliest() == 4);
  CHECK(offsets_of(read_range(*log.topic.reader(), log.topic.range(4, 17))) == all_of(4, 10));
}

}  // namespace semel::test
