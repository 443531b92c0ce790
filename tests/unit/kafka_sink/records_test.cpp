// What needs no broker: names, the ledger's records, what a topic takes, dead letters.
#include <nlohmann/json.hpp>

#include "kafka_sink/dead_letter.hpp"
#include "kafka_sink/ledger_record.hpp"
#include "kafka_sink/names.hpp"
#include "kafka_sink/target.hpp"
#include "support/catch.hpp"

namespace semel::kafka_sink {

namespace {

Owner owner() {
  return {.pipeline = "a.b", .output = "kafka", .id = "u", .description = "semel on host"};
}

}  // namespace

TEST_CASE("what an output calls its topics and ids begins with its own name") {
  const auto names = names_of({.topic = "t"}, owner()).value();
  CHECK(names.ledger == "semel.a.b.kafka");
  CHECK(names.history == "semel.a.b.kafka.history");
  CHECK(names.dead_letters == "t.dead-letters");
  CHECK(names.slot_id(3) == "semel.a.b.kafka-3");
  CHECK(names.owner_id() == "semel.a.b.kafka-owner");
}

TEST_CASE("names that are none, or are two things at once, are refused with the setting to use") {
  auto long_one = owner();
  long_one.pipeline = std::string(250, 'x');
  CHECK_THAT(names_of({.topic = "t"}, long_one).error().message,
             Catch::Contains("sink.kafka.ledger.topic"));
  CHECK_THAT(names_of({.topic = "t", .dead_letters = "t"}, owner()).error().message,
             Catch::Contains("two things"));
  CHECK(names_of({.topic = "t", .ledger = "t"}, owner()).error().cause == Cause::configuration);
}

TEST_CASE("the ledger's records are JSON that others read, and come back as they were") {
  OwnerRow row{.pipeline = "p", .output = "o", .epoch = 7, .id = "u", .reason = "a \"b\" \xff"};
  row.slots = 8;
  row.partitions = 3;
  const auto text = encode(row);
  const auto seen = nlohmann::json::parse(text);
  CHECK(seen.at("epoch") == 7);
  CHECK(seen.at("slots") == 8);
  const auto back = std::get<OwnerRow>(decode(owner_key(), text));
  CHECK(back.epoch == 7);
  CHECK(back.partitions == 3);

  Position position;
  position.at = {
      .tp = {"clicks", 3}, .until = 15, .batch_time = {9}, .last = RecordMark{14, -1, 7}};
  position.owner = "u";
  const auto again = std::get<Position>(decode(key_of(position.at.tp), encode(position)));
  CHECK(again.at == position.at);
  CHECK(std::get<Forgotten>(decode(key_of(position.at.tp), std::nullopt)).tp == position.at.tp);

  const Move move{.tp = {"clicks", 3},
                  .batch_time = {9},
                  .epoch = 7,
                  .from = 4,
                  .until = 15,
                  .kind = MoveKind::lost,
                  .rows = 1,
                  .committed_at = "2026-01-01T00:00:00.000Z"};
  const auto moved = decode_move(encode(move, "gone")).value();
  CHECK(moved.from == 4);
  CHECK(moved.kind == MoveKind::lost);
  CHECK(moved.committed_at == move.committed_at);
}

TEST_CASE("a record of the ledger is one by its key, to the letter") {
  const auto is_strange = [](std::optional<std::string_view> key) {
    return std::holds_alternative<std::monostate>(decode(key, "{}"));
  };
  CHECK(is_strange("clicks"));
  CHECK(is_strange(std::nullopt));
  CHECK(is_strange(R"({"a later thing":1})"));
  CHECK(is_strange(R"({"topic":"clicks"})"));
  CHECK(is_strange(R"({"partition":3,"topic":"clicks","of":"somebody else"})"));
  CHECK(is_strange(R"({"owner":false})"));
  CHECK(std::get<Broken>(decode(key_of({"clicks", 3}), "{}")).tp == TopicPartition{"clicks", 3});
  CHECK(std::get<Broken>(decode(key_of({"clicks", 3}), "no JSON")).tp);
  CHECK_FALSE(std::get<Broken>(decode(owner_key(), R"({"version":1})")).tp);
  const auto later = decode(owner_key(), R"({"version":2,"what":"else"})");
  CHECK(std::get<OwnerRow>(later).version == 2);
}

TEST_CASE("which partition a record goes to") {
  const auto by_key = Partitioning::of("key").value();
  CHECK(by_key(7, true, 4) == kafka::Outgoing::by_key);
  CHECK(by_key(7, false, 4) == 3);
  const auto same = Partitioning::of("same").value();
  CHECK(same(3, true, 4) == 3);
  CHECK_FALSE(same(4, true, 4));
  CHECK(Partitioning::of("2").value()(9, true, 4) == 2);
  for (const auto* wrong : {"", "keys", "-1", "1x", "99999999999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Partitioning::of(wrong));
  }
}

// kafka-clients 4.1: MemoryRecords.withRecords(Compression.NONE, record).sizeInBytes().
TEST_CASE("a record's size is the one that Kafka counts") {
  const Record record{
      .offset = 5, .timestamp_ms = 1, .key = "key", .value = "value", .headers = {}};
  CHECK(bytes_of(record, {}) == 76);
  const std::vector<Header> headers{{"h", "v"}, {"none", std::nullopt}};
  const std::string large(1'000, 'x');
  CHECK(bytes_of({.value = large, .headers = {}}, headers) == 1080);
}

TEST_CASE("a dead letter fits its topic, and keeps as much as it can") {
  const std::string large(2'000, 'x');
  const Task task{.time = {9}, .range = {{"clicks", 3}, 0, 10}};
  const Record record{.offset = 4, .key = "k", .value = large, .headers = {}};
  const DeadLetter cut(owner(), task, record, {.code = "C", .reason = "why"}, 1'500);
  const auto out = cut.outgoing();
  CHECK(out.key == "k");
  CHECK(out.value->size() < large.size());
  CHECK(out.value->size() > 100);
  CHECK(bytes_of({.key = out.key, .value = out.value, .headers = {}}, out.headers) <= 1'500);
  const DeadLetter whole(owner(), task, record, {.reason = "why"}, 10'000);
  CHECK(whole.outgoing().value == large);
  CHECK(is_dead_letter_of({whole.outgoing().headers.begin(), whole.outgoing().headers.end()}, "a.b",
                          "kafka"));
  CHECK_FALSE(is_dead_letter_of({whole.outgoing().headers.begin(), whole.outgoing().headers.end()},
                                "a.b", "other"));
}

}  // namespace semel::kafka_sink
