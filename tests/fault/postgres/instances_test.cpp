// Several instances of one pipeline.
#include <vector>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("two instances started at the same moment store everything once, ten times over") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  int fenced = 0;
  for (int round = 0; round < 10; ++round) {
    INFO("round " << round);
    rig.produce(10'000);
    auto first = rig.start("run", {"--once"});
    auto second = rig.start("run", {"--once"});
    const auto first_ended = first.wait(60s);
    const auto second_ended = second.wait(60s);
    INFO(first.err() << second.err());
    REQUIRE(first_ended);
    REQUIRE(second_ended);
    // Who came last finishes; the other one has finished before or was fenced.
    CHECK((first_ended->code == 0 || first_ended->code == 5));
    CHECK((second_ended->code == 0 || second_ended->code == 5));
    CHECK((first_ended->code == 0 || second_ended->code == 0));
    fenced += first_ended->code == 5 || second_ended->code == 5 ? 1 : 0;
    CHECK(rig.rows() == rig.produced());
  }
  CHECK(fenced > 0);  // otherwise they never met
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("five that start at once on a ledger that does not exist yet leave one owner") {
  if (!kafka_available()) return;
  Rig rig(4);
  rig.configure(std::string(quick));
  Load load(rig);
  std::vector<Process> instances;
  for (int i = 0; i < 5; ++i) instances.push_back(rig.start());
  const auto living = [&] {
    std::vector<Process*> result;
    for (auto& instance : instances) {
      if (instance.running()) result.push_back(&instance);
    }
    return result;
  };
  REQUIRE(eventually([&] { return living().size() == 1; }));
  auto& owner = *living().front();
  REQUIRE(rig.grows(rig.rows()));
  for (auto& instance : instances) {
    if (&instance == &owner) continue;
    expect_end(instance, 5, {"fenced"});
  }
  load.finish();
  finish_well(rig, owner);
}
