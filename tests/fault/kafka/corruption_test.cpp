// What a disk does to a log segment: bytes that are not what was written.
#include <fmt/format.h>

#include <csignal>
#include <fstream>

#include "fault/postgres/faults.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr int batches = 20;
constexpr int per_batch = 10;

/// Ids 0 to 199 in twenty batches of their own.
void produce_batches(Rig& rig) {
  for (int i = 0; i < batches; ++i) rig.produce(per_batch);
}

/// Replaces the first `from` in the partition's log by `to`, of the same length, while the broker
/// is down. Its own shutdown was clean: it does not look at the segment when it starts.
void alter_log(const std::string& topic, const std::string& from, const std::string& to) {
  auto& kafka = KafkaServer::shared();
  kafka.stop();
  const auto segment = kafka.log_directory(topic, 0) / "00000000000000000000.log";
  auto content = read_file(segment);
  const auto at = content.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(from.size() == to.size());
  content.replace(at, from.size(), to);
  write_file(segment, content);
  kafka.start();
}

}  // namespace

TEST_CASE("a damaged batch in the middle of a log is an error that names it, never a gap or garbage") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[batch]\nmax_records_per_partition = 50\n[retry]\nmax_failures = 3\n");
  produce_batches(rig);
  alter_log(rig.topic(), R"("id":105,)", R"("id":905,)");

  const auto stopped = rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err, Catch::Contains(rig.topic() + "[0]") && Catch::Contains("offset 100"));
  // The ranges before it, and nothing of its own.
  CHECK(rig.rows() == 100);
  CHECK(rig.number("SELECT max(id) FROM events") == 99);
  CHECK(rig.finish("verify").code == 0);

  SECTION("and it goes on when the segment has been repaired") {
    alter_log(rig.topic(), R"("id":905,)", R"("id":105,)");
    rig.drain();
    rig.expect_exactly_once();
  }
  SECTION("and an operator can move past it, on record") {
    // Refused for some seconds: the owner's last sign of life is that young.
    REQUIRE(eventually(
        [&] { return rig.finish("offsets", {"set", rig.topic() + ":0=110"}).code == 0; }));
    rig.drain();
    CHECK(rig.rows() == batches * per_batch - per_batch);
    CHECK(rig.number("SELECT count(*) FROM events WHERE id BETWEEN 100 AND 109 OR id > 199") == 0);
    CHECK(rig.value("SELECT from_offset || '-' || until_offset FROM semel_commits WHERE kind = "
                    "'set'") == "100-110");
  }
}

TEST_CASE("a damaged batch at the end of a log stops a running pipeline, saying where") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[retry]\nmax_failures = 3\n");
  produce_batches(rig);
  alter_log(rig.topic(), R"("id":199,)", R"("id":999,)");
  auto semel = rig.start();
  expect_end(semel, 3, {rig.topic() + "[0]", "offset 190"});
  CHECK(rig.number("SELECT count(*) FROM events WHERE id > 189") == 0);
  alter_log(rig.topic(), R"("id":999,)", R"("id":199,)");
  rig.drain();
  rig.expect_exactly_once();
}
