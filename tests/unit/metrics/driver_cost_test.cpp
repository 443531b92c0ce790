// What a batch costs the driver: whose time is whose.
#include "metrics/driver_cost.hpp"

#include "support/catch.hpp"

using namespace semel::metrics;
using namespace std::chrono_literals;

namespace {

bool about(std::optional<std::chrono::nanoseconds> measured, std::chrono::nanoseconds expected) {
  return measured && *measured >= expected && *measured - expected <= expected / 16;
}

}  // namespace

TEST_CASE("a duration is told at most a sixteenth too large, from nothing to hours") {
  for (const auto duration : {0ns, 1ns, 15ns, 16ns, 17ns, 31ns, 32ns, 1'000ns, 65'535ns, 65'536ns,
                              1'234'567ns, std::chrono::nanoseconds(7h)}) {
    CAPTURE(duration.count());
    DurationCounts counts;
    counts.add(duration);
    CHECK(about(counts.percentile(50), duration));
  }
}

TEST_CASE("the percentile of durations is the nearest rank") {
  DurationCounts counts;
  CHECK_FALSE(counts.percentile(50));
  for (int i = 0; i < 98; ++i) counts.add(1ms);
  for (int i = 0; i < 2; ++i) counts.add(10ms);
  CHECK(counts.count() == 100);
  CHECK(about(counts.percentile(0), 1ms));
  CHECK(about(counts.percentile(50), 1ms));
  CHECK(about(counts.percentile(98), 1ms));
  CHECK(about(counts.percentile(99), 10ms));
  CHECK(about(counts.percentile(100), 10ms));
}

TEST_CASE("a batch costs all turns from the one that plans it to the one that ends it") {
  DriverCost cost;
  cost.add({.deciding = 10us, .obeying = 100us, .planned = {{{1}, 80us}}});
  CHECK(cost.batch().count() == 0);
  cost.add({.deciding = 5us, .obeying = 1us});
  cost.add({.deciding = 5us, .obeying = 4us, .done = {{1}}});
  CHECK(cost.batch().count() == 1);
  CHECK(about(cost.batch().percentile(50), 125us));
  CHECK(about(cost.deciding().percentile(50), 20us));
  CHECK(about(cost.syncing().percentile(50), 80us));
}

TEST_CASE("turns without an open batch cost no batch anything") {
  DriverCost cost;
  for (int i = 0; i < 1'000; ++i) cost.add({.deciding = 1ms, .obeying = 1ms});
  cost.add({.deciding = 10us, .planned = {{{1}, 0us}}, .done = {{1}}});
  CHECK(about(cost.batch().percentile(100), 10us));
}

TEST_CASE("batches that overlap pay for their own sync, and share the rest") {
  DriverCost cost;
  cost.add({.deciding = 40us, .obeying = 300us, .planned = {{{1}, 100us}, {{2}, 200us}}});
  cost.add({.done = {{1}, {2}}});
  CHECK(cost.batch().count() == 2);
  CHECK(about(cost.batch().percentile(0), 120us));
  CHECK(about(cost.batch().percentile(100), 220us));
  // Nothing is counted twice.
  cost.add({.deciding = 7us, .planned = {{{3}, 0us}}, .done = {{3}}});
  CHECK(about(cost.batch().percentile(0), 7us));
}

TEST_CASE("batches that another process planned are not counted") {
  DriverCost cost;
  cost.add({.deciding = 1ms, .done = {{1}}});
  cost.add({.deciding = 1us, .planned = {{{2}, 0us}}, .done = {{1}}});
  CHECK(cost.batch().count() == 0);
}
