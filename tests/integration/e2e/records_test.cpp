// What becomes of records: types, bad ones, tombstones, transactions, and what is lost before it is
// read.
#include <csignal>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("bad records go to the dead letters, good ones to the table, in one pass") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.sql("ALTER TABLE events ADD CHECK (amount >= 0), ALTER name SET NOT NULL");
  rig.produce(500);
  rig.produce_value("not json");
  rig.produce_value(R"({"id":"not a number","name":"x"})");
  rig.produce_value(R"({"id":900001})");                         // name is NOT NULL
  rig.produce_value(R"({"id":900002,"name":"x","amount":-1})");  // the server's CHECK
  rig.produce_value(R"({"id":900003,"name":"nul \u0000","amount":1})");
  rig.produce_value(R"({"id":900004,"name":"good","amount":1})");
  rig.drain();
  CHECK(rig.rows() == 501);
  CHECK(rig.value("SELECT string_agg(sqlstate, ' ' ORDER BY \"offset\") FROM semel_dead_letters") ==
        "22P02 22P02 23502 23514 22021");
  CHECK(rig.value("SELECT convert_from(value, 'UTF8') FROM semel_dead_letters ORDER BY \"offset\" "
                  "LIMIT 1") == "not json");
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("on_bad_record = stop stops and names topic, partition, offset and column") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("on_bad_record = \"stop\"\n");
  rig.produce(10);
  rig.produce_value(R"({"id":"x"})");
  const auto result = rig.finish("run", {"--once"});
  CHECK(result.code == 7);
  CHECK_THAT(result.err, Catch::Contains(rig.topic() + "[0]") && Catch::Contains("10") &&
                             Catch::Contains("id"));
  CHECK(rig.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

TEST_CASE("aborted transactions are not stored, and a tail of them does not hold up the end") {
  if (!kafka_available()) return;
  Rig rig(1);
  const auto transaction = [&](int from, int count, bool commit) {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers(),
                           {{"transactional.id", unique_name("tx")}});
    producer.begin();
    for (int i = from; i < from + count; ++i) {
      producer.produce(rig.topic(), 0, std::nullopt, R"({"id":)" + std::to_string(i) + "}");
    }
    producer.flush();
    commit ? producer.commit() : producer.abort();
  };
  transaction(0, 10, false);
  transaction(10, 10, true);
  transaction(20, 10, false);
  const auto drained = rig.finish("run", {"--once"});
  REQUIRE(drained.code == 0);
  // 30 records and 3 markers; 20 of the records are nobody's.
  CHECK_THAT(drained.out, Catch::StartsWith("10 records in ") &&
                              Catch::Contains(": 10 rows, 0 dead letters; 23 offsets without a"));
  CHECK(rig.number("SELECT count(*) FROM events WHERE id BETWEEN 10 AND 19") == 10);
  CHECK(rig.rows() == 10);
  // The ledger stands behind the last marker, so a range of markers only was committed too.
  CHECK(rig.number("SELECT until_offset FROM semel_progress") == 33);
  transaction(30, 5, true);
  rig.drain();
  CHECK(rig.rows() == 15);
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == 15);
}

TEST_CASE("partitions that are added while running are read from their first record") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(10);
  auto semel = rig.start("run", {"--set", "source.kafka.discovery_interval=300ms"});
  REQUIRE(eventually([&] { return rig.rows() == 10; }));
  KafkaServer::shared().add_partitions(rig.topic(), 3);
  rig.produce_value(R"({"id":1000})", 1);
  rig.produce_value(R"({"id":1001})", 2);
  CHECK(eventually([&] { return rig.rows() == 12; }));
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(20s));
}

TEST_CASE("records that aged out before they were read are an error, or recorded as skipped") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(100);
  rig.drain();
  rig.produce(200);
  KafkaServer::shared().delete_records(rig.topic(), 0, 250);

  const auto stopped = rig.finish("run", {"--once"});
  CHECK(stopped.code == 6);
  CHECK_THAT(stopped.err, Catch::Contains(rig.topic() + "[0]") && Catch::Contains("100") &&
                              Catch::Contains("250"));

  const auto skipped = rig.finish("run", {"--once", "--set", "on_data_loss=skip"});
  INFO(skipped.err);
  CHECK(skipped.code == 0);
  CHECK(rig.rows() == 150);
  CHECK(rig.value(
            "SELECT from_offset || '-' || until_offset FROM semel_commits WHERE kind = 'lost'") ==
        "100-250");
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE(
    "a topic that was deleted and created anew is noticed, smaller or grown past the position") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(100);
  rig.drain();
  auto& kafka = KafkaServer::shared();
  kafka.delete_topic(rig.topic());
  kafka.create_topic(rig.topic(), 1);
  SECTION("smaller") {
    rig.produce(10);
  }
  SECTION("grown past the position") {
    rig.produce(300);
  }
  const auto result = rig.finish("run", {"--once"});
  CHECK(result.code == 6);
  CHECK_THAT(result.err, Catch::Contains(rig.topic()));
  CHECK(rig.rows() == 100);
}
