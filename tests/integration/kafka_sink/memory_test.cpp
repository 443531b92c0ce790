// What a session holds of records that are on their way to the brokers.
#include "integration/kafka_sink/rig.hpp"
#include "kafka/transactional_producer.hpp"
#include "kafka_sink/sink.hpp"

namespace semel::test {

namespace {

const TopicPartition numbers{"numbers", 0};
constexpr int timeout_ms = 30'000;

/// Stores one record of so many bytes.
Result<CommitResult> store_one(const KafkaOutput& output, std::int64_t session_memory,
                               std::size_t bytes) {
  auto context = output.context(owner_named("a"));
  context.session_memory_bytes = session_memory;
  auto opened = kafka_sink::make_sink(output.options, context);
  REQUIRE(opened);
  const auto sink = *std::move(opened);
  const auto epoch = sink->take_over("c")->epoch;
  const Progress start{.tp = numbers};
  REQUIRE(sink->enter({&start, 1}));
  const auto session = sink->open_session().value();
  const Task task{.time = {1'000}, .range = {numbers, 0, 1}, .epoch = epoch};
  REQUIRE(session->begin({&task, 1}));
  const std::string value(bytes, 'v');
  const Record record{.offset = 0, .timestamp_ms = 1, .key = "k", .value = value, .headers = {}};
  if (auto written = session->write(0, {&record, 1}); !written) {
    return tl::unexpected(written.error());
  }
  const RangeEnd end{};
  return session->commit({&end, 1});
}

}  // namespace

TEST_CASE("a record that is larger than what may be on its way goes alone") {
  if (!kafka_available()) return;
  const KafkaOutput output(1, {{"max.message.bytes", "4000000"}});
  committed(store_one(output, 100'000, 2'000'000));
  REQUIRE(output.stored().size() == 1);
  CHECK(output.stored().front().value->size() == 2'000'000);
}

TEST_CASE("a record that is larger than a queue that somebody has set is said, not waited for") {
  if (!kafka_available()) return;
  KafkaOutput output;
  output.options.cluster.librdkafka["queue.buffering.max.kbytes"] = "64";
  const auto stored = store_one(output, session_memory_max, 100'000);
  REQUIRE_FALSE(stored);
  CHECK(stored.error().kind == ErrorKind::fatal);
  CHECK(stored.error().cause == Cause::configuration);
  CHECK_THAT(stored.error().message, Catch::Contains(output.options.topic) &&
                                         Catch::Contains("queue.buffering.max.kbytes"));
  CHECK(output.stored().empty());
}

TEST_CASE("what is on its way is bounded in bytes, with what each record needs") {
  if (!kafka_available()) return;
  KafkaOutput output;
  const kafka::Stop never = [] { return false; };
  const std::string value(1'000, 'v');
  int looks = 0;
  // So many sends in turn that find no room are enough.
  const kafka::Stop in_vain = [&] { return ++looks > 20; };
  const auto send_up_to = [&](int count, const kafka::Stop& stop) {
    const auto producer =
        kafka::TransactionalProducer::create(
            output.options.cluster, "p",
            {.transactional_id = output.options.topic, .queue_bytes_max = 256 << 10})
            .value();
    REQUIRE(producer->fence(timeout_ms, never));
    REQUIRE(producer->begin());
    const auto topic = producer->topic(output.options.topic);
    int sent = 0;
    for (; sent < count; ++sent, looks = 0) {
      if (!producer->send(topic, {.partition = 0, .value = value}, stop)) return sent;
    }
    REQUIRE(producer->flush(timeout_ms, never));
    REQUIRE(producer->commit(timeout_ms, never));
    return sent;
  };
  CHECK(send_up_to(1'000, never) == 1'000);
  CHECK(output.stored().size() == 1'000);
  // Where nothing leaves before it is flushed: at most as many as if values were all of it, and at
  // least half of these.
  output.options.cluster.librdkafka["linger.ms"] = "30000";
  const auto held = send_up_to(1'000, in_vain);
  CHECK(held <= 262);
  CHECK(held >= 131);
}

}  // namespace semel::test
