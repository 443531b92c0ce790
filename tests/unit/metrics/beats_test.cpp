// Which threads still come round.
#include "metrics/beats.hpp"

#include "support/catch.hpp"

using namespace semel::metrics;
using namespace std::chrono_literals;

TEST_CASE("a thread is late when it works for longer than it said, or does not wake up") {
  Beats beats;
  auto& driver = beats.add("driver");
  auto& executor = beats.add("executor 0");
  const auto now = Beat::Clock::now();
  // Nothing was promised yet.
  CHECK(beats.late(now + 1'000h).empty());

  executor.works(10s);
  driver.waits(now + 60s, 5s);
  CHECK(beats.late(now + 9s).empty());
  const auto one = beats.late(now + 63s);
  REQUIRE(one.size() == 1);
  CHECK(one.front().starts_with("executor 0 has not moved for 5"));
  CHECK(beats.late(now + 66s).size() == 2);
}

TEST_CASE("a thread that rests, or waits for ever, is never late") {
  Beats beats;
  auto& executor = beats.add("executor 0");
  executor.works(1s);
  executor.rests();
  CHECK(beats.late(Beat::Clock::now() + 1'000h).empty());
  executor.waits(Beat::Clock::time_point::max(), 1s);
  CHECK(beats.late(Beat::Clock::now() + 1'000h).empty());
}
