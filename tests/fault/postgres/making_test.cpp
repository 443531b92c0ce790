// Tables that semel makes and widens, while it is killed and while others hold the table.
#include <fmt/format.h>
#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "base/crash_point.hpp"
#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr auto making = "create = true\nevolve = \"add\"\n";

/// {"id": i, "m0": i}: each few hundred records have a member that none before them had.
class NewMembers {
 public:
  static constexpr std::int64_t each = 400;

  explicit NewMembers(Rig& rig) : rig_(rig) {}

  void produce(int count) {
    KafkaProducer producer(rig_.brokers(), {{"enable.idempotence", "true"}});
    for (int i = 0; i < count; ++i, ++produced_) {
      producer.produce(rig_.topic(), static_cast<std::int32_t>(produced_ % 4), std::nullopt,
                       fmt::format(R"({{"id": {0}, "m{1}": {0}}})", produced_, produced_ / each));
    }
    producer.flush();
  }
  std::int64_t produced() const { return produced_; }

  void expect_each_once() const {
    CHECK(rig_.rows() == produced_);
    CHECK(rig_.number("SELECT count(DISTINCT id) FROM events") == produced_);
    CHECK(rig_.number(fmt::format("SELECT count(*) FROM events e WHERE to_jsonb(e) ->> ('m' || "
                                  "div(id, {})) IS DISTINCT FROM id::text",
                                  each)) == 0);
    const auto verified = rig_.finish("verify");
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
  }

 private:
  Rig& rig_;
  std::int64_t produced_ = 0;
};

}  // namespace

TEST_CASE("a table that is made and widened under kills has each record once, with all of it") {
  if (!kafka_available()) return;
  REQUIRE(semel::has_crash_points);
  Rig rig(4);
  rig.sql("DROP TABLE events");
  rig.write_as_configured();
  rig.configure(std::string(making) + std::string(quick));
  NewMembers records(rig);
  records.produce(1'000);
  int crashes = 0;
  // Where the table is made, and where it is widened.
  for (int i = 0; i < 2; ++i) {
    rig.environment({{"SEMEL_CRASH_AT", "postgres_made_table"}});
    crashes += rig.finish("run", {"--once"}).signal == SIGKILL ? 1 : 0;
    records.produce(1'000);
  }
  CHECK(crashes == 2);
  rig.environment({});
  std::jthread load([&](const std::stop_token& done) {
    while (!done.stop_requested()) {
      records.produce(100);
      std::this_thread::sleep_for(30ms);
    }
  });
  std::mt19937 random(20261127);
  for (int kills = 0; kills < 15; ++kills) {
    auto semel = rig.start();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 600'000));
    const bool runs = semel.running();
    INFO(semel.err());
    CHECK(runs);
    semel.kill();
  }
  load.request_stop();
  load.join();
  rig.drain();
  expect_no_dead_letters(rig);
  records.expect_each_once();
  CHECK(rig.number("SELECT count(*) FROM pg_attribute WHERE attrelid = 'events'::regclass AND "
                   "attnum > 0 AND attname <> 'id'") ==
        (records.produced() + NewMembers::each - 1) / NewMembers::each + 2);
}

TEST_CASE("a table that somebody holds is widened once they let it go") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.write_as_configured();
  rig.configure(std::string(making) + "[retry]\nmax_failures = 2\nbackoff_min = \"10ms\"\n");
  rig.sql("DROP TABLE events; CREATE TABLE events (id bigint, p int, o bigint)");
  NewMembers records(rig);
  Psql holder(rig.dsn());
  REQUIRE(holder.run("BEGIN; SELECT count(*) FROM events"));
  records.produce(100);
  auto semel = rig.start("run", every_failure);
  // More often than the configuration lets a failure be tried.
  REQUIRE(says(semel, "trying again (failure 3)"));
  CHECK(rig.rows() == 0);
  REQUIRE(semel.running());
  REQUIRE(holder.run("COMMIT"));
  REQUIRE(rig.grows(records.produced() - 1));
  stop(semel);
  expect_no_dead_letters(rig);
  records.expect_each_once();
}
