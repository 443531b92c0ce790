// Streams with state and several outputs, as a test. SEMEL_SIMULATION_SEEDS: how many, where a
// longer run is wanted.
#include "simulation/stream/simulation.hpp"

#include <cstdlib>
#include <string>

#include "simulation/many.hpp"
#include "support/catch.hpp"

using namespace semel::simulation;

namespace {

constexpr unsigned threads = 2;

std::uint64_t seeds() {
  const auto* wanted = std::getenv("SEMEL_SIMULATION_SEEDS");
  return wanted == nullptr ? 3'000 : std::stoull(wanted);
}

}  // namespace

TEST_CASE("several outputs and a state stay one, whatever fails") {
  const auto failing = run_seeds(0, seeds(), threads, semel::stream_simulation::variant());
  if (failing) FAIL(describe(*failing));
}

TEST_CASE("several outputs and a state in one of them stay one, whatever fails") {
  const auto failing =
      run_seeds(0, seeds() / 4, threads, semel::stream_simulation::variant_at_home());
  if (failing) FAIL(describe(*failing));
}
