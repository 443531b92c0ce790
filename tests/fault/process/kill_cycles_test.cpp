// SIGKILL at random moments, under load, again and again. SEMEL_KILL_CYCLES: how often (the long
// mode: 1000).
#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/pipeline_rig.hpp"
#include "support/range_watcher.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

int cycles_wanted() {
  const auto* wanted = std::getenv("SEMEL_KILL_CYCLES");
  return wanted == nullptr ? 200 : std::stoi(wanted);
}

std::int64_t position(const Rig& rig) {
  return rig.number("SELECT coalesce(sum(until_offset), 0) FROM semel_progress");
}

/// It has not ended by itself.
void kill_running(Process& semel) {
  const auto running = semel.running();
  INFO(semel.err());
  CHECK(running);
  semel.kill();
}

}  // namespace

TEST_CASE("hundreds of kills under load lose nothing and double nothing", "[commit-unit]") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure("[batch]\nmax_records_per_partition = 1000\n");
  // Only for the reader.
  rig.sql("CREATE INDEX ON events (p, o)");
  rig.produce(10'000);
  rig.drain();
  RangeWatcher watcher(rig.dsn());

  std::atomic<bool> done{false};
  std::thread load([&] {
    while (!done) {
      rig.produce(200);
      std::this_thread::sleep_for(20ms);
    }
  });
  std::mt19937 random(20261121);
  std::vector<double> restarts_ms;
  int kills = 0;
  const int wanted = cycles_wanted();
  for (; kills < wanted; ++kills) {
    const auto before = position(rig);
    const auto began = Clock::now();
    auto semel = rig.start();
    // Half of them while it starts, half of them while it works.
    if (random() % 2 == 0) {
      if (eventually([&] { return position(rig) > before; }, 30s)) {
        restarts_ms.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - began).count());
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 400'000));
    }
    kill_running(semel);
  }
  done = true;
  load.join();
  rig.drain();
  watcher.finish();
  CHECK(watcher.offence().empty());
  CHECK(watcher.looks() > 0);
  rig.expect_exactly_once();
  std::ranges::sort(restarts_ms);
  REQUIRE(!restarts_ms.empty());
  fmt::print(
      "{} kills, {} records: lost 0, doubled 0 where this test passes; restart to first "
      "commit: median {:.0f} ms, largest {:.0f} ms; {} looks by the concurrent reader\n",
      kills, rig.produced(), restarts_ms[restarts_ms.size() / 2], restarts_ms.back(),
      watcher.looks());
}

TEST_CASE("killed again and again, upserts and deletes end as a map of the keys would") {
  if (!kafka_available()) return;
  constexpr int partitions = 4;
  Rig rig(partitions);
  rig.sql("DROP TABLE events; CREATE TABLE events (id int PRIMARY KEY, v int)");
  rig.write_as_configured();
  rig.configure(
      "write = \"upsert\"\ntombstones = \"delete\"\n[batch]\n"
      "max_records_per_partition = 1000\n",
      R"(id = "@key.id")");
  std::map<int, int> model;
  std::atomic<bool> done{false};
  std::thread load([&] {
    // What is sent again must not be in the topic twice: it would undo what came after it.
    KafkaProducer producer(rig.brokers(), {{"enable.idempotence", "true"}});
    std::mt19937 random(20261127);
    for (int i = 0; !done; ++i) {
      const int id = static_cast<int>(random() % 3'000);
      const auto key = fmt::format(R"({{"id": {}}})", id);
      if (random() % 4 == 0) {
        model.erase(id);
        producer.produce(rig.topic(), id % partitions, key, std::nullopt);
      } else {
        model[id] = i;
        producer.produce(rig.topic(), id % partitions, key, fmt::format(R"({{"v": {}}})", i));
      }
      if (i % 200 == 0) {
        producer.flush();
        std::this_thread::sleep_for(10ms);
      }
    }
    producer.flush();
  });
  std::mt19937 random(20261127);
  const int wanted = std::min(cycles_wanted(), 50);
  for (int kills = 0; kills < wanted; ++kills) {
    auto semel = rig.start();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 600'000));
    kill_running(semel);
  }
  done = true;
  load.join();
  rig.drain();
  std::string expected;
  for (const auto& [id, v] : model) expected += fmt::format("{}={} ", id, v);
  CHECK(rig.value("SELECT string_agg(format('%s=%s ', id, v), '' ORDER BY id) FROM events") ==
        expected);
  const auto verified = rig.finish("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}
