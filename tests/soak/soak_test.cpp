// Everything at random, for as long as is wanted. SEMEL_SOAK_SECONDS, SEMEL_SOAK_SEED:
// scripts/soak.
#include <fmt/format.h>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

#include "soak/troubles.hpp"
#include "soak/world.hpp"
#include "support/catch.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const auto* text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

}  // namespace

TEST_CASE("whatever happens at random, nothing is lost, doubled, altered, and nothing hangs") {
  if (!kafka_available()) return;
  const auto seed = number_from("SEMEL_SOAK_SEED", 20261125);
  const auto length = std::chrono::seconds(number_from("SEMEL_SOAK_SECONDS", 30));
  fmt::print("soak: seed {}, {} s\n", seed, length.count());
  std::fflush(stdout);
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  World world(seed);
  world.trouble(true);  // until both servers have answered once
  world.expect_progress(60s);
  const auto& troubles = all_troubles();
  const auto began = Clock::now();
  int rounds = 0;
  while (Clock::now() - began < length) {
    ++rounds;
    const auto& first = troubles[random() % troubles.size()];
    const auto& second = troubles[random() % troubles.size()];
    // Whoever needs the servers comes first, and one server is taken away at a time.
    const bool two = random() % 2 == 0 && &first != &second && !first.takes_server;
    const auto said = fmt::format("{:6.1f} s  round {}: {}{}{}",
                                  std::chrono::duration<double>(Clock::now() - began).count(),
                                  rounds, first.name, two ? ", " : "", two ? second.name : "");
    fmt::print("{}\n", said);
    std::fflush(stdout);
    INFO(said);
    world.trouble(true);
    auto end_first = first.begin(world, random);
    world.tend(std::chrono::milliseconds(random() % 500));
    auto end_second = two ? second.begin(world, random) : [] {};
    world.tend(std::chrono::milliseconds(100 + random() % 2'500));
    end_second();
    end_first();
    world.expect_progress(60s);
    world.trouble(false);
    world.tend(std::chrono::milliseconds(random() % 200));
  }
  world.expect_exactly_once();
  fmt::print(
      "soak: seed {}: {} rounds, {} records, {} starts: lost 0, doubled 0, altered 0, hangs 0\n",
      seed, rounds, world.produced(), world.starts());
}
