// semel offsets and semel verify: where a pipeline goes on, and what it did.
#include <fmt/format.h>
#include <cstring>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;

TEST_CASE("verify proves the chain, and finds a move that is gone") {
  if (!kafka_available()) return;
  Setup setup;
  for (int i = 0; i < 3; ++i) {
    setup.produce(10);
    drain(setup);
  }
  const auto proven = setup.run("verify");
  INFO(proven.out << proven.err);
  CHECK(proven.code == 0);
  CHECK(has(proven.out, "Proven: no gap and no overlap"));
  CHECK(has(proven.out, "started at 0"));

  setup.sql("DELETE FROM semel_commits WHERE from_offset = 10");
  const auto broken = setup.run("verify");
  INFO(broken.out << broken.err);
  CHECK(broken.code == 1);
  CHECK(has(broken.out, "gap: offsets [10, 20) are missing"));
  CHECK_FALSE(has(broken.out, "Proven"));
}

TEST_CASE("offsets are shown, set and reset, and the chain records it") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10, 0);
  setup.produce(4, 1);
  drain(setup);
  const auto& topic = setup.topic();
  const auto committed = [&](int partition) {
    return setup.value(
        fmt::format("SELECT until_offset FROM semel_progress WHERE \"partition\" = {}", partition));
  };

  const auto shown = setup.run("offsets", {"show"});
  CHECK(shown.code == 0);
  CHECK(has(shown.out, topic + "[0]"));

  const auto dry = setup.run("offsets", {"set", topic + ":0=3", "--dry-run"});
  INFO(dry.out << dry.err);
  CHECK(dry.code == 0);
  CHECK(has(dry.out, "7 offsets are read again"));
  CHECK(committed(0) == "10");

  const auto set = setup.run("offsets", {"set", topic + ":0=3", topic + ":1=4"});
  INFO(set.out << set.err);
  CHECK(set.code == 0);
  CHECK(committed(0) == "3");
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "21");
  auto verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "set by an operator from 10 to 3"));
  CHECK(has(verified.out, "in 2 partitions, apart from 1 decision above."));
  CHECK(has(setup.run("offsets", {"set", topic + ":0=10"}).out, "Nothing is to be changed"));
  CHECK(setup.run("verify").out == verified.out);

  CHECK(setup.run("offsets", {"set", "--to", "latest"}).code == 0);
  CHECK(committed(1) == "4");
  const auto reset = setup.run("offsets", {"reset"});
  INFO(reset.out << reset.err);
  CHECK(reset.code == 0);
  CHECK(committed(0).empty());
  CHECK(setup.run("verify").code == 0);
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "35");
  verified = setup.run("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "set or forgotten (reset) by an operator at 4"));
}

TEST_CASE("positions go to a day, or so long back, and the moment that is meant is said") {
  if (!kafka_available()) return;
  Setup setup;
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  // 2025-11-26 23:59:59.999, the day after, and now.
  for (const std::int64_t at : {1'764'201'599'999LL, 1'764'201'600'000LL, 0LL}) {
    producer.produce(setup.topic(), 0, std::nullopt, R"({"id": 1})", {}, at);
  }
  producer.flush();
  drain(setup);
  const auto position = [&] {
    return setup.value("SELECT until_offset FROM semel_progress WHERE partition = 0");
  };
  const auto day = setup.run("offsets", {"set", "--to", "2025-11-27"});
  INFO(day.out << day.err);
  CHECK(day.code == 0);
  CHECK(has(day.out, "2025-11-27 begins at 2025-11-27T00:00:00Z"));
  CHECK(position() == "1");
  CHECK(setup.run("offsets", {"set", "--to", "-1h"}).code == 0);
  CHECK(position() == "2");
}

TEST_CASE("offsets that make no sense are usage errors") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  drain(setup);
  const auto& topic = setup.topic();
  CHECK(setup.run("offsets", {"set"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=-1"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=1", topic + ":0=2"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":0=1", "--to", "latest"}).code == 2);
  CHECK(setup.run("offsets", {"set", "--to", "2026-31-01"}).code == 2);
  CHECK(setup.run("offsets", {"set", "--to", "-2 weeks"}).code == 2);
  CHECK(setup.run("offsets", {"set", topic + ":7=1"}).code == 2);
  CHECK(setup.run("offsets", {"show", topic + ":0=1"}).code == 2);
  CHECK(setup.run("offsets", {"move"}).code == 2);
}

TEST_CASE("offsets refuse while an owner is alive, unless forced, and then it is fenced") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  auto running = setup.start("run");
  REQUIRE(eventually([&] {
    return setup.value("SELECT to_regclass('semel_progress') IS NOT NULL") == "t" &&
           setup.value("SELECT count(*) FROM events") == "10";
  }));
  const auto refused = setup.run("offsets", {"reset"});
  INFO(refused.out << refused.err);
  CHECK(refused.code == 4);
  CHECK(has(refused.err, "--force"));
  CHECK(running.running());
  CHECK(setup.run("offsets", {"set", setup.topic() + ":0=0", "--force"}).code == 0);
  const auto ended = running.wait(std::chrono::seconds(60));
  INFO(running.err());
  REQUIRE(ended.has_value());
  CHECK(ended->code == 5);
  CHECK(has(running.err(), "semel offsets on"));
}

TEST_CASE("a start that is not in the log is refused by check and by run, with the same words") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  const auto plain = read_file(setup.file());
  const auto start_at = [&](int offset) {
    write_file(setup.file(), fmt::format("{}[source.kafka.start]\n\"{}\" = {{0 = {}}}\n", plain,
                                         setup.topic(), offset));
  };
  std::string said;
  int offset = 0;
  SECTION("past the end") {
    offset = 1'000;
    said = fmt::format("offset 1000 of {}[0] is past the end 10", setup.topic());
  }
  SECTION("below what is still there") {
    KafkaServer::shared().delete_records(setup.topic(), 0, 4);
    offset = 2;
    said = fmt::format("offset 2 of {}[0] is below the first record that Kafka still has, offset 4",
                       setup.topic());
  }
  start_at(offset);
  const auto checked = setup.run("check");
  INFO(checked.out << checked.err);
  CHECK(has(checked.out, "✗ source.kafka.start: " + said));
  CHECK(checked.code == 2);
  const auto ran = setup.run("run", {"--once"});
  INFO(ran.err);
  CHECK(has(ran.err, said));
  CHECK(ran.code == 2);
  CHECK(setup.value("SELECT count(*) FROM semel_progress") == "0");
  start_at(10);
  CHECK(setup.run("check").code == 0);
}

TEST_CASE("a position past the end is set only by force, and never read as another log") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  const auto beyond = setup.topic() + ":0=5000";
  const auto refused = setup.run("offsets", {"set", beyond});
  INFO(refused.err);
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "offset 5000 is past the end of the log, which is 10"));
  CHECK(setup.value("SELECT until_offset FROM semel_progress") == "10");
  CHECK(setup.run("offsets", {"set", beyond, "--force"}).code == 0);
  const auto ran = setup.run("run", {"--once", "--set", "on_data_loss=skip"});
  INFO(ran.err);
  CHECK(ran.code == 6);
  CHECK(has(ran.err, "at offset 5000"));
  CHECK(has(ran.err, "ends at 10"));
  CHECK(setup.value("SELECT count(*) FROM events") == "10");
  // Of what is read again only what the log holds counts.
  const auto back = setup.run("offsets", {"set", setup.topic() + ":0=8", "--force"});
  CHECK(back.code == 0);
  CHECK(has(back.out, "2 offsets are read again"));
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "12");
  KafkaServer::shared().delete_records(setup.topic(), 0, 5);
  const auto before = setup.run("offsets", {"set", setup.topic() + ":0=4"});
  CHECK(before.code == 2);
  CHECK(has(before.err, "offset 4 is before the begin of the log, which is 5"));
}

TEST_CASE("the first positions of a topic are given for all of its partitions") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10, 0);
  setup.produce(10, 1);
  // The ledger is there, and does not know the topic.
  CHECK(setup.run("run", {"--once", "--set", "name=another"}).code == 0);
  setup.sql("TRUNCATE events");
  const auto& topic = setup.topic();
  const auto one = setup.run("offsets", {"set", topic + ":0=2"});
  CHECK(one.code == 2);
  CHECK(has(one.err, "give one for " + topic + "[1] as well"));
  CHECK(setup.run("offsets", {"set", topic + ":0=2", topic + ":1=10"}).code == 0);
  drain(setup);
  CHECK(setup.value("SELECT count(*) FROM events") == "8");
  // Later each by itself.
  CHECK(setup.run("offsets", {"set", topic + ":1=9"}).code == 0);
}
