// What a Kafka does that is slow, throttled, damaged on its way, or refuses logins: by the proxy.
#include <csignal>
#include <map>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

int broker_port() {
  const auto address = KafkaServer::shared().bootstrap_servers();
  return std::stoi(address.substr(address.rfind(':') + 1));
}

/// A rig whose program goes through a proxy; the test itself does not.
struct Hostile {
  HostileKafka proxy{broker_port()};
  Rig rig;

  explicit Hostile(int partitions, const std::string& extra = "") : rig(partitions) {
    rig.through_brokers(proxy.address());
    rig.configure(extra);
  }
};

void produce_batches(Rig& rig, int batches, int records) {
  for (int i = 0; i < batches; ++i) rig.produce(records);
}

/// Records of 10 kB each, ids from 0 on; as many in a batch.
void produce_wide(const Rig& rig, int records, int in_a_batch) {
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  for (int i = 0; i < records; ++i) {
    producer.produce(
        rig.topic(), 0, std::nullopt,
        R"({"id":)" + std::to_string(i) + R"(,"name":")" + std::string(10'000, 'x') + "\"}");
    if ((i + 1) % in_a_batch == 0) producer.flush();
  }
  producer.flush();
}

}  // namespace

TEST_CASE("fetches that take longer than a question is waited for make progress") {
  if (!kafka_available()) return;
  Hostile kafka(2);
  kafka.rig.produce(2'000);
  kafka.proxy.delay(Api::fetch, 4'000ms);
  kafka.rig.drain();
  kafka.rig.expect_exactly_once();
  // Nothing was thrown away and fetched again, and questions were asked meanwhile.
  CHECK(kafka.proxy.requests(Api::fetch) <= 8);
}

TEST_CASE("an answer that trickles in for seconds is waited for, and fetched once") {
  if (!kafka_available()) return;
  Hostile kafka(1);
  // Batches of 50 kB: what a broker cuts off at the end of an answer of 1 MB and sends again is one
  // of them at most. How a producer cuts 2.4 MB into batches of up to 1 MB depends on its luck.
  produce_wide(kafka.rig, 240, 5);
  kafka.proxy.throttle(400'000);
  const auto before = kafka.proxy.answered_bytes();
  kafka.rig.drain();
  CHECK(kafka.rig.number("SELECT count(DISTINCT id) FROM events") == 240);
  CHECK(kafka.rig.rows() == 240);
  // The records are 2.4 MB.
  CHECK(kafka.proxy.answered_bytes() - before < 2'800'000);
}

TEST_CASE("no transaction is open while records that come slowly are waited for") {
  if (!kafka_available()) return;
  Hostile kafka(1, "[source.kafka.librdkafka]\n\"fetch.message.max.bytes\" = \"100000\"\n");
  produce_wide(kafka.rig, 60, 10);
  kafka.proxy.delay(Api::fetch, 700ms);
  auto semel = kafka.rig.start("run", {"--once"});
  std::map<std::string, int> seen;  // how many answers had been asked for when it was seen first
  std::string outlived;
  while (semel.running()) {
    const auto open = kafka.rig.value(
        "SELECT coalesce(min(pid || ' since ' || xact_start), '') FROM pg_stat_activity WHERE "
        "datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%COPY%'"
        "AND state <> 'idle'");
    if (open.empty()) continue;
    const auto fetches = kafka.proxy.requests(Api::fetch);
    if (fetches - seen.try_emplace(open, fetches).first->second >= 2) outlived = open;
  }
  CHECK(outlived == "");
  CHECK(kafka.proxy.requests(Api::fetch) > 4);
  CHECK(kafka.rig.rows() == 60);
  CHECK(kafka.rig.number("SELECT count(*) FROM semel_commits WHERE rows = 60") == 1);
}

TEST_CASE("a batch that cannot be read is an error that names it, and is read when it can be") {
  if (!kafka_available()) return;
  Hostile kafka(1, "[batch]\nmax_records_per_partition = 50\n[retry]\nmax_failures = 2\n");
  const auto [records, damage] = GENERATE(table<int, Damage>(
      {{1, Damage::magic}, {10, Damage::magic}, {1, Damage::content}, {10, Damage::length}}));
  CAPTURE(records, static_cast<int>(damage));
  produce_batches(kafka.rig, 20, records);
  const int damaged = 15 * records;
  kafka.proxy.damage({.topic = kafka.rig.topic(), .offset = damaged, .damage = damage});
  const auto stopped = kafka.rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err, Catch::Contains(kafka.rig.topic() + "[0]") &&
                              Catch::Contains("damaged at offset " + std::to_string(damaged)));
  CHECK(kafka.rig.number("SELECT count(*) FROM events WHERE o >= " + std::to_string(damaged)) == 0);
  CHECK(kafka.rig.finish("verify").code == 0);
  kafka.proxy.mend();
  kafka.rig.drain();
  kafka.rig.expect_exactly_once();
}

TEST_CASE("a broker that cannot read its log is not called a damaged batch") {
  if (!kafka_available()) return;
  Hostile kafka(1, "[retry]\nmax_failures = 2\n");
  produce_batches(kafka.rig, 2, 10);
  // What Kafka answers for whatever it did not expect; one of tiered storage, which librdkafka 2.0
  // does not know; and one that says that the batch is broken.
  const auto [code, damage] = GENERATE(table<int, bool>({{-1, false}, {109, false}, {2, true}}));
  CAPTURE(code);
  kafka.proxy.fail(Api::fetch, kafka.rig.topic(), 0, static_cast<std::int16_t>(code));
  const auto stopped = kafka.rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err, Catch::Contains(kafka.rig.topic() + "[0]"));
  CHECK((stopped.err.find("is damaged") != std::string::npos) == damage);
  CHECK((stopped.err.find("the broker cannot give") == std::string::npos) == damage);
  CHECK(kafka.rig.rows() == 0);
}

TEST_CASE("a batch that begins at another offset than it was written at is an error") {
  if (!kafka_available()) return;
  Hostile kafka(1, "[retry]\nmax_failures = 2\n");
  produce_batches(kafka.rig, 20, 10);
  SECTION("at one that comes later") {
    kafka.proxy.damage({.offset = 155, .damage = Damage::base_offset, .delta = 7});
  }
  SECTION("beyond the end of the log") {
    kafka.proxy.damage({.offset = 195, .damage = Damage::base_offset, .delta = 1'000'000});
  }
  const auto stopped = kafka.rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err,
             Catch::Contains(kafka.rig.topic() + "[0]") && Catch::Contains("is damaged at offset"));
  CHECK(kafka.rig.rows() == 0);
  kafka.proxy.mend();
  kafka.rig.drain();
  kafka.rig.expect_exactly_once();
}

TEST_CASE(
    "a batch that jumped over records is an error though the next answer begins behind them") {
  if (!kafka_available()) return;
  // One batch an answer: the next fetch begins where the jump led to.
  Hostile kafka(1, R"([batch]
max_records_per_partition = 50
[retry]
max_failures = 2
[source.kafka.librdkafka]
"fetch.message.max.bytes" = "1000"
)");
  produce_batches(kafka.rig, 20, 10);
  kafka.proxy.damage({.offset = 105, .damage = Damage::base_offset, .delta = 57});
  const auto stopped = kafka.rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err, Catch::Contains("is damaged at offset 100"));
  CHECK(kafka.rig.rows() == 100);
  kafka.proxy.mend();
  kafka.rig.drain();
  kafka.rig.expect_exactly_once();
}

TEST_CASE("a login that is refused for a moment, and an outage after it, end nothing") {
  if (!kafka_available()) return;
  Hostile kafka(2, std::string(quick) + R"([source.kafka.librdkafka]
"security.protocol" = "SASL_PLAINTEXT"
"sasl.mechanisms" = "PLAIN"
"sasl.username" = "somebody"
"sasl.password" = "something"
)");
  auto& rig = kafka.rig;
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(500));
  kafka.proxy.refuse_logins(true);
  kafka.proxy.cut();
  const bool refused = says(semel, "refuses the login");
  INFO(semel.err());
  REQUIRE(refused);
  kafka.proxy.refuse_logins(false);
  // What was produced until now needs a question that is answered.
  REQUIRE(rig.grows(rig.produced()));
  kafka.proxy.refuse_connections(true);
  const bool away = says(semel, "cannot be reached");
  INFO(semel.err());
  REQUIRE(away);
  kafka.proxy.refuse_connections(false);
  REQUIRE(rig.grows(rig.produced()));
  load.finish();
  finish_well(rig, semel);
}
