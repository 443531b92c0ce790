// Records that the broker removes while a pipeline is down, behind, or reading.
#include <fmt/format.h>

#include <csignal>
#include <filesystem>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

std::uintmax_t bytes_in_log(const Rig& rig) {
  std::uintmax_t bytes = 0;
  std::error_code gone;  // the cleaner removes files while they are looked at
  for (const auto& file : std::filesystem::directory_iterator(
           KafkaServer::shared().log_directory(rig.topic(), 0), gone)) {
    if (file.path().extension() != ".log") continue;
    const auto size = file.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

// Spark's KafkaMicroBatchSourceSuite, "fetch data of a partition that has aged out" and
// "failOnDataLoss".
TEST_CASE("retention that overtakes a pipeline which is down is an error, or on record") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(std::string(quick));
  store_then_kill(rig, 200);
  rig.produce(400);
  KafkaServer::shared().delete_records(rig.topic(), 1, 250);

  auto again = rig.start();
  expect_end(again, 6,
             {rig.topic() + "[1]", "offset 100 is wanted", "begins at 250", "ends at 300",
              "on_data_loss"});
  CHECK(rig.number("SELECT count(*) FROM events WHERE p = 1") == 100);

  auto skipping = rig.start("run", {"--set", "on_data_loss=skip"});
  CHECK(rig.grows(449));
  skipping.signal(SIGTERM);
  REQUIRE(skipping.wait(30s));
  CHECK(rig.rows() == 450);
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == 450);
  CHECK(rig.value("SELECT \"partition\" || ':' || from_offset || '-' || until_offset FROM "
                  "semel_commits WHERE kind = 'lost'") == "1:100-250");
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("retention that overtakes a running pipeline is an error, or on record") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(200'000);
  const auto overtake = [&](Process& semel) {
    REQUIRE(rig.grows(0));
    semel.signal(SIGSTOP);
    REQUIRE(rig.rows() < 150'000);
    KafkaServer::shared().delete_records(rig.topic(), 0, 190'000);
    semel.signal(SIGCONT);
  };
  SECTION("stop") {
    auto semel = rig.start();
    overtake(semel);
    expect_end(semel, 6, {rig.topic() + "[0]", "begins at 190000", "ends at 200000"});
    const auto rows = rig.rows();
    CHECK(rows < 190'000);
    CHECK(rig.number("SELECT until_offset FROM semel_progress") == rows);
    CHECK(rig.number("SELECT max(id) FROM events") == rows - 1);
  }
  SECTION("skip") {
    auto semel = rig.start("run", {"--set", "on_data_loss=skip"});
    overtake(semel);
    REQUIRE(eventually(
        [&] { return rig.number("SELECT until_offset FROM semel_progress") == 200'000; }));
    semel.signal(SIGTERM);
    REQUIRE(semel.wait(30s));
    const auto lost =
        rig.number("SELECT sum(until_offset - from_offset) FROM semel_commits WHERE kind = 'lost'");
    CHECK(lost > 0);
    CHECK(rig.rows() == 200'000 - lost);
    CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == rig.rows());
    CHECK(rig.number("SELECT count(*) FROM events WHERE id >= 190000") == 10'000);
  }
  CHECK(rig.finish("verify").code == 0);
}

TEST_CASE("records deleted between a plan and its fetch cost the whole batch, on record") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\ncommit = \"batch\"\nmax_records_per_partition = 50\n");
  rig.produce(100);
  rig.drain();
  rig.produce(100);
  // One executor: ranges are recorded one after the other.
  const std::vector<std::string> skipping{"--once", "--set", "on_data_loss=skip_batch", "--set",
                                          "executors=1"};
  const auto crash = [&](const char* point) {
    rig.environment({{"SEMEL_CRASH_AT", point}});
    CHECK(rig.finish("run", skipping).signal == SIGKILL);
    rig.environment({});
  };
  const auto lost = [&] {
    return rig.value(
        "SELECT coalesce(string_agg(\"partition\" || ':' || from_offset || '-' || until_offset, ' '"
        " ORDER BY \"partition\"), '') FROM semel_commits WHERE kind = 'lost'");
  };
  crash("persisted_plan");
  KafkaServer::shared().delete_records(rig.topic(), 1, 80);
  SECTION("in one go") {
    auto args = skipping;
    const auto metrics = rig.state_dir() + ".metrics";
    args.insert(args.end(), {"--metrics-file", metrics});
    const auto done = rig.finish("run", args);
    INFO(done.err);
    CHECK(done.code == 0);
    CHECK(done.err.find("is given up: of " + rig.topic() + "[0] [50, 100), " + rig.topic() +
                        "[1] [50, 100) nothing more is stored") != std::string::npos);
    CHECK(run({.argv = {"grep", "-Eq", "^semel_given_up_batches_total.* 1$", metrics}}).code == 0);
    CHECK(run({.argv = {"grep", "-Eq", "^semel_lost_offsets_total.* 100$", metrics}}).code == 0);
  }
  SECTION("killed when it is decided, and when one of the ranges is on record") {
    crash("persisted_plan");
    CHECK(lost().empty());
    crash("committed");
    CHECK(lost() == "0:50-100");
    CHECK(rig.finish("run", skipping).code == 0);
  }
  CHECK(lost() == "0:50-100 1:50-100");
  CHECK(rig.rows() == 100);
  rig.produce(20);
  CHECK(rig.finish("run", skipping).code == 0);
  CHECK(rig.rows() == 120);
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == 120);
  CHECK(rig.finish("status").out.find("100 offsets recorded as lost") != std::string::npos);
  const auto proof = rig.finish("verify");
  CHECK(proof.code == 0);
  CHECK(proof.out.find("records lost, went on from 50 to 100") != std::string::npos);
}

// Spark's KafkaRDDSuite, "iterator() works for compacted topics".
TEST_CASE("compaction under a running pipeline: each survivor is stored once") {
  if (!kafka_available()) return;
  Rig rig(1, {{"cleanup.policy", "compact"},
              {"segment.bytes", "1048576"},
              {"min.cleanable.dirty.ratio", "0.001"},
              {"max.compaction.lag.ms", "200"}});
  rig.configure(std::string(quick));
  constexpr int keys = 50;
  int next = 0;
  const auto produce = [&](int count) {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (const int end = next + count; next < end; ++next) {
      producer.produce(rig.topic(), 0, fmt::format("key-{}", next % keys),
                       fmt::format(R"({{"id":{},"name":"{:0>100}"}})", next, next % keys));
    }
    producer.flush();
  };
  produce(1'000);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  semel.signal(SIGSTOP);
  const auto at_stop = rig.rows();
  produce(60'000);  // 100 bytes each and more
  REQUIRE(eventually([&] { return bytes_in_log(rig) < 3'000'000; }));
  semel.signal(SIGCONT);
  produce(1'000);
  REQUIRE(eventually([&] {
    return rig.number("SELECT until_offset FROM semel_progress") == next || !semel.running();
  }));
  INFO(semel.err());
  REQUIRE(semel.running());
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(30s));
  CHECK(rig.rows() < next);  // the fault: some were gone before they were read
  CHECK(rig.rows() >= at_stop + keys);
  CHECK(rig.number("SELECT count(*) - count(DISTINCT o) FROM events") == 0);
  CHECK(rig.number("SELECT count(*) FROM events WHERE id <> o") == 0);
  // The last of each key survives compaction, and is there.
  CHECK(rig.number(fmt::format("SELECT count(DISTINCT name) FROM events WHERE id >= {}",
                               next - keys)) == keys);
  expect_no_dead_letters(rig);
  CHECK(rig.finish("verify").code == 0);
}
