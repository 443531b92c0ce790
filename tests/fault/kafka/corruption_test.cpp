// What a disk does to a log segment: bytes that are not what was written.
#include <fmt/format.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>

#include "fault/faults.hpp"
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

/// The same for the batch that begins at `offset`: `alter` gets its bytes.
void alter_batch(const std::string& topic, std::int64_t offset,
                 const std::function<void(char* batch)>& alter) {
  auto& kafka = KafkaServer::shared();
  kafka.stop();
  const auto segment = kafka.log_directory(topic, 0) / "00000000000000000000.log";
  auto content = read_file(segment);
  // Its base offset, eight bytes, and the length of what follows, four.
  const auto number = [&](std::size_t at, int size) {
    std::int64_t value = 0;
    for (int i = 0; i < size; ++i) {
      value = value << 8 | static_cast<unsigned char>(content.at(at + static_cast<std::size_t>(i)));
    }
    return value;
  };
  std::size_t at = 0;
  while (number(at, 8) != offset) at += static_cast<std::size_t>(number(at + 8, 4)) + 12;
  alter(content.data() + at);
  write_file(segment, content);
  kafka.start();
}

}  // namespace

TEST_CASE("a damaged batch header, which no checksum covers, is an error too") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[retry]\nmax_failures = 2\n");
  std::function<void(char*)> damage;
  std::function<void(char*)> repair;
  int records = per_batch;
  SECTION("a version that nobody knows, in a batch of one record") {
    records = 1;
    damage = [](char* batch) { batch[16] = 9; };
    repair = [](char* batch) { batch[16] = 2; };
  }
  SECTION("an offset further on in the log") {
    damage = [](char* batch) { batch[7] = static_cast<char>(batch[7] + 5); };
    repair = [](char* batch) { batch[7] = static_cast<char>(batch[7] - 5); };
  }
  for (int i = 0; i < batches; ++i) rig.produce(records);
  const auto damaged = std::int64_t{15} * records;
  alter_batch(rig.topic(), damaged, damage);
  const auto stopped = rig.finish("run", {"--once"});
  INFO(stopped.err);
  CHECK(stopped.code == 3);
  CHECK_THAT(stopped.err,
             Catch::Contains(rig.topic() + "[0]") && Catch::Contains("is damaged at offset"));
  CHECK(rig.rows() == 0);
  char header[17] = {};
  damage(header);
  std::int64_t found = 0;
  for (int i = 0; i < 8; ++i) found = found << 8 | static_cast<unsigned char>(header[i]);
  alter_batch(rig.topic(), damaged + found, repair);
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE(
    "a damaged batch is an error that names it, never a gap or garbage, until it is repaired") {
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

  // It goes on when the segment has been repaired.
  alter_log(rig.topic(), R"("id":905,)", R"("id":105,)");
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE(
    "a damaged batch at the end of a log stops a running pipeline, and can be left out on record") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[batch]\nmax_records_per_partition = 10\n[retry]\nmax_failures = 3\n");
  produce_batches(rig);
  alter_log(rig.topic(), R"("id":199,)", R"("id":999,)");
  auto semel = rig.start();
  expect_end(semel, 3, {rig.topic() + "[0]", "offset 190"});
  CHECK(rig.rows() == 190);
  CHECK(rig.number("SELECT max(id) FROM events") == 189);
  const auto stored = rig.rows();

  // An operator moves past it, on record. Refused for some seconds: the owner's last sign of life
  // is that young.
  REQUIRE(eventually([&] {
    return rig.finish("offsets", {"set", rig.topic() + ":0=200"}).code == 0;
  }));
  rig.produce(100);
  rig.drain();
  CHECK(rig.rows() == stored + 100);
  CHECK(rig.number("SELECT count(*) FROM events WHERE id >= 200 AND id < 300") == 100);
  CHECK(rig.value("SELECT from_offset || '-' || until_offset FROM semel_commits WHERE kind = "
                  "'set'") == "190-200");
  CHECK(rig.finish("verify").code == 0);
}
