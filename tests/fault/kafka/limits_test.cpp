// Where offsets begin and end, and limits at the end of what a number holds.
#include <csignal>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

// "stored offset 0 is respected": Spark's KafkaMicroBatchSourceSuite, "SPARK-26718" and others take
// a stored position for one that is not there.
TEST_CASE("a stored offset 0 is a position, whatever start says afterwards") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.drain();
  REQUIRE(rig.value("SELECT string_agg(until_offset::text, ' ') FROM semel_progress") == "0 0");
  rig.produce(200);
  const auto result = rig.finish("run", {"--once", "--set", "source.kafka.start=latest"});
  INFO(result.err);
  CHECK(result.code == 0);
  rig.expect_exactly_once();
}

TEST_CASE("a start at offset 0 that is given for every partition reads everything") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(200);
  const auto result = rig.finish(
      "run", {"--once", "--set", "source.kafka.start={ " + rig.topic() + " = { 0 = 0, 1 = 0 } }"});
  INFO(result.err);
  CHECK(result.code == 0);
  rig.expect_exactly_once();
}

// Spark's KafkaMicroBatchSourceSuite, "maxOffsetsPerTrigger" (SPARK-26718: integer overflow).
TEST_CASE("limits of the largest integer do not overflow") {
  if (!kafka_available()) return;
  Rig rig(3);
  rig.configure(
      "[batch]\nmax_records = 9223372036854775807\nmin_records_per_partition = "
      "9223372036854775807\nmax_records_per_partition = 9223372036854775807\n");
  rig.produce(10'000);
  rig.drain();
  rig.produce(10'000);
  rig.drain();
  rig.expect_exactly_once();
}

// Spark's "Trigger.AvailableNow": what arrives after the start is left for the next run.
TEST_CASE("--once ends at the ends seen first though records keep coming") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  rig.produce(20'000);
  std::int64_t moved = 0;
  {
    Load load(rig);
    rig.drain();
    moved = rig.rows();
    CHECK(moved >= 20'000);
    // They did keep coming: more than the run has moved.
    CHECK(eventually([&] { return rig.produced() > moved; }));
  }
  CHECK(moved < rig.produced());
  rig.drain();
  rig.expect_exactly_once();
}
