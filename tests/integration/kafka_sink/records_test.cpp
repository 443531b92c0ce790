// What becomes of a record, and of one that the topic does not take.
#include <chrono>

#include "integration/kafka_sink/rig.hpp"
#include "kafka_sink/sink.hpp"
#include "support/kafka_producer.hpp"

namespace semel::test {

namespace {

const TopicPartition from{"clicks", 3};

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// An owner with one session.
struct Writer {
  explicit Writer(const KafkaOutput& output)
      : sink(output.open(owner_named("a"))), epoch(sink->take_over("c")->epoch) {
    const std::vector starts{Progress{.tp = from}, Progress{.tp = {"clicks", 0}}};
    REQUIRE(sink->enter(starts));
    session = sink->open_session().value();
  }

  /// Of partition 3 of clicks, from offset 0; again, isolating, where a broker finds one bad.
  Result<CommitResult> store(const std::vector<Record>& records, bool isolate = false) {
    const auto until = static_cast<Offset>(records.size());
    const Task task{.time = {1'000}, .range = {from, 0, until}, .epoch = epoch, .isolate = isolate};
    auto begun = session->begin({&task, 1});
    if (!begun) return tl::unexpected(begun.error());
    if (auto written = session->write(0, records); !written) {
      return tl::unexpected(written.error());
    }
    const RangeEnd end{};
    return session->commit({&end, 1});
  }

  std::unique_ptr<Sink> sink;
  std::int64_t epoch;
  std::unique_ptr<SinkSession> session;
};

std::vector<Header> two_headers() {
  return {{"trace", "abc"}, {"empty", std::nullopt}, {"trace", ""}};
}

}  // namespace

TEST_CASE("key, value, headers, timestamp and tombstones stay as they are") {
  if (!kafka_available()) return;
  KafkaOutput output;
  output.options.origin_headers = false;
  Writer writer(output);
  const HeaderSource headers{&output, [](const void*, std::vector<Header>& into) {
                               for (const auto& header : two_headers()) into.push_back(header);
                             }};
  const auto at = now() - 60'000;
  const std::string binary("\0\xff\x01", 3);
  committed(writer.store({
      {.offset = 0, .timestamp_ms = at, .key = "k", .value = binary, .headers = headers},
      {.offset = 1, .timestamp_ms = at + 1, .key = "", .value = "", .headers = {}},
      {.offset = 2, .timestamp_ms = at + 2, .key = "k", .value = std::nullopt, .headers = {}},
      {.offset = 3, .timestamp_ms = at + 3, .key = std::nullopt, .value = "v", .headers = {}},
  }));
  const auto seen = output.stored();
  REQUIRE(seen.size() == 4);
  CHECK(seen[0].value == binary);
  CHECK(seen[0].timestamp_ms == at);
  REQUIRE(seen[0].headers.size() == 3);
  CHECK(seen[0].headers[0] == std::pair(std::string("trace"), std::optional<std::string>("abc")));
  CHECK_FALSE(seen[0].headers[1].second);
  CHECK(seen[0].headers[2].second == "");
  CHECK(seen[1].key == "");
  CHECK(seen[1].value == "");
  CHECK(seen[1].headers.empty());
  CHECK(seen[2].key == "k");
  CHECK_FALSE(seen[2].value);
  CHECK_FALSE(seen[3].key);
  CHECK(seen[3].timestamp_ms == at + 3);
}

// Expected numbers: kafka-clients 4.1, Utils.toPositive(Utils.murmur2(key)) % 12.
TEST_CASE("a key is where Kafka's own clients put it, and what has none keeps its number") {
  if (!kafka_available()) return;
  KafkaOutput output(12);
  Writer writer(output);
  committed(writer.store({{.offset = 0, .key = "a", .value = "", .headers = {}},
                          {.offset = 1, .key = "kafka", .value = "", .headers = {}},
                          {.offset = 2, .key = "semel", .value = "", .headers = {}},
                          {.offset = 3, .value = "", .headers = {}}}));
  std::map<Offset, std::int32_t> partitions;
  for (const auto& seen : output.stored()) partitions[seen.origin()] = seen.partition;
  CHECK(partitions == std::map<Offset, std::int32_t>{{0, 4}, {1, 4}, {2, 0}, {3, 3}});
}

TEST_CASE("records keep the number of their partition, which has to exist") {
  if (!kafka_available()) return;
  KafkaOutput output(4);
  output.options.partition = "same";
  {
    Writer writer(output);
    committed(writer.store({{.offset = 0, .key = "a", .value = "", .headers = {}}}));
    CHECK(output.stored().at(0).partition == 3);
  }
  KafkaOutput narrow(2);
  narrow.options.partition = "same";
  Writer writer(narrow);
  const auto stored = writer.store({{.offset = 0, .key = "a", .value = "", .headers = {}}});
  REQUIRE_FALSE(stored);
  CHECK(stored.error().kind == ErrorKind::fatal);
  CHECK_THAT(stored.error().message,
             Catch::Contains("clicks[3]") && Catch::Contains("2 partition"));
  CHECK(narrow.stored().empty());
}

TEST_CASE("a partition that the topic has not got is said at the start") {
  if (!kafka_available()) return;
  KafkaOutput output(2);
  output.options.partition = "2";
  const auto made = kafka_sink::make_sink(output.options, output.context(owner_named("a")));
  REQUIRE_FALSE(made);
  CHECK(made.error().cause == Cause::configuration);
}

TEST_CASE("what a compacted topic, or one with bounds, does not take is set aside and says why") {
  if (!kafka_available()) return;
  KafkaOutput output(
      1, {{"cleanup.policy", "compact,delete"}, {"message.timestamp.after.max.ms", "3600000"}});
  Writer writer(output);
  const auto counts = committed(writer.store({
      {.offset = 0, .timestamp_ms = now(), .key = "k", .value = "good", .headers = {}},
      {.offset = 1, .timestamp_ms = now(), .value = "no key", .headers = {}},
      {.offset = 2, .timestamp_ms = now() + 90'000'000, .key = "k", .value = "late", .headers = {}},
  }));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 2);
  CHECK(counts.dead_letter_codes ==
        std::map<std::string, std::uint64_t>{{"INVALID_RECORD", 1}, {"INVALID_TIMESTAMP", 1}});
  const auto dead = output.dead();
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].value == "no key");
  CHECK(dead[0].header("semel.topic") == "clicks");
  CHECK(dead[0].header("semel.partition") == "3");
  CHECK(dead[0].header("semel.offset") == "1");
  CHECK(dead[0].header("semel.code") == "INVALID_RECORD");
  CHECK_THAT(dead[0].header("semel.reason"), Catch::Contains("compacted"));
  CHECK_THAT(dead[1].header("semel.reason"), Catch::Contains("message.timestamp.after.max.ms"));
}

// What only the broker knows: how large a batch is once it is compressed.
TEST_CASE("of records that may be too large only those that the broker refuses are set aside") {
  if (!kafka_available()) return;
  KafkaOutput output(1, {{"max.message.bytes", "20000"}});
  Writer writer(output);
  std::string noise;
  for (unsigned i = 1; noise.size() < 100'000; i = i * 1'664'525U + 1'013'904'223U) {
    noise += static_cast<char>(i >> 24U);
  }
  const std::string compressible(100'000, 'x');
  const std::vector<Record> records{
      {.offset = 0, .timestamp_ms = now(), .value = "small", .headers = {}},
      {.offset = 1, .timestamp_ms = now(), .value = noise, .headers = {}},
      {.offset = 2, .timestamp_ms = now(), .value = compressible, .headers = {}},
      {.offset = 3, .timestamp_ms = now(), .value = noise, .headers = {}},
      {.offset = 4, .timestamp_ms = now(), .value = "small, too", .headers = {}}};
  const auto fast = writer.store(records);
  REQUIRE_FALSE(fast);
  INFO(fast.error().message);
  CHECK(fast.error().kind == ErrorKind::bad_data);
  CHECK(output.stored().empty());
  const auto counts = committed(writer.store(records, true));
  CHECK(counts.rows == 3);
  CHECK(counts.dead_letters == 2);
  std::vector<Offset> stored;
  for (const auto& seen : output.stored()) stored.push_back(seen.origin());
  CHECK(stored == std::vector<Offset>{0, 2, 4});
  const auto dead = output.dead();
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].value == noise);
  CHECK(dead[1].header("semel.offset") == "3");
  CHECK(dead[1].header("semel.code") == "MSG_SIZE_TOO_LARGE");
}

TEST_CASE("what a caller sets aside stays among what the broker refuses, each with its own code") {
  if (!kafka_available()) return;
  KafkaOutput output(1, {{"max.message.bytes", "20000"}});
  Writer writer(output);
  std::string noise;
  for (unsigned i = 1; noise.size() < 100'000; i = i * 1'664'525U + 1'013'904'223U) {
    noise += static_cast<char>(i >> 24U);
  }
  const Objection why{.reason = "it costs -5", .told = "stage prices", .code = "PRICES"};
  const Task task{.time = {1'000}, .range = {from, 0, 5}, .epoch = writer.epoch, .isolate = true};
  REQUIRE_FALSE(writer.session->begin({&task, 1}).value());
  REQUIRE(writer.session->set_aside(0, {.offset = 0, .value = "first"}, why));
  const std::vector<Record> records{
      {.offset = 1, .timestamp_ms = now(), .value = "small", .headers = {}},
      {.offset = 2, .timestamp_ms = now(), .value = noise, .headers = {}}};
  REQUIRE(writer.session->write(0, records));
  REQUIRE(writer.session->set_aside(0, {.offset = 3, .value = noise}, why));
  const Record last{.offset = 4, .timestamp_ms = now(), .value = "small, too", .headers = {}};
  REQUIRE(writer.session->write(0, {&last, 1}));
  const RangeEnd end{};
  const auto counts = committed(writer.session->commit({&end, 1}));
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letter_codes ==
        std::map<std::string, std::uint64_t>{{"MSG_SIZE_TOO_LARGE", 1}, {"PRICES", 2}});
  const auto dead = output.dead();
  REQUIRE(dead.size() == 3);
  CHECK(dead[0].value == "first");
  CHECK(dead[0].header("semel.reason") == "it costs -5");
  CHECK(dead[0].header("semel.code") == "PRICES");
  CHECK(dead[1].header("semel.offset") == "2");
  CHECK(dead[2].header("semel.offset") == "3");
  CHECK(dead[2].value == noise);
}

TEST_CASE("a dead letter that is too large for its own topic is cut, and says so") {
  if (!kafka_available()) return;
  KafkaOutput output(1, {{"max.message.bytes", "3000"}});
  output.options.cluster.librdkafka["compression.codec"] = "none";
  KafkaServer::shared().create_topic(output.options.topic + ".dead-letters", 1,
                                     {{"max.message.bytes", "5000"}});
  Writer writer(output);
  const std::string large(9'000, 'x');
  committed(writer.store({{.offset = 0, .key = "small", .value = "good", .headers = {}},
                          {.offset = 1, .key = "small", .value = large, .headers = {}},
                          {.offset = 2, .key = large, .value = std::nullopt, .headers = {}}}));
  const auto dead = output.dead();
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].key == "small");
  CHECK(dead[0].value->size() > 1'000);
  CHECK(large.starts_with(*dead[0].value));
  CHECK_THAT(dead[0].header("semel.cut"), Catch::Contains("of 9000 bytes"));
  CHECK(large.starts_with(*dead[1].key));
  CHECK_FALSE(dead[1].value);
}

TEST_CASE("a topic that refuses every record is no record's fault") {
  if (!kafka_available()) return;
  KafkaOutput output(1, {{"max.message.bytes", "100"}});
  Writer writer(output);
  std::string noise;
  for (unsigned i = 1; noise.size() < 500; i = i * 1'664'525U + 1'013'904'223U) {
    noise += static_cast<char>(i >> 24U);
  }
  const std::vector<Record> records{{.offset = 0, .value = noise, .headers = {}},
                                    {.offset = 1, .value = noise, .headers = {}}};
  CHECK(writer.store(records).error().kind == ErrorKind::bad_data);
  const auto stopped = writer.store(records, true);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::fatal);
  CHECK_THAT(stopped.error().message, Catch::Contains("refuses every record"));
  CHECK(output.dead().empty());
}

TEST_CASE("a pipeline that reads the topic that it writes does not begin") {
  if (!kafka_available()) return;
  KafkaOutput output;
  auto sink = output.open(owner_named("a"));
  // Its own cluster is the one that is read.
  REQUIRE(sink->take_over(KafkaOutput::cluster_id()));
  const std::vector starts{Progress{.tp = {output.options.topic, 0}}};
  const auto entered = sink->enter(starts);
  REQUIRE_FALSE(entered);
  CHECK(entered.error().cause == Cause::configuration);
  CHECK_THAT(entered.error().message, Catch::Contains("read and written"));
}

}  // namespace semel::test
