// What fused stages of a stream cost beside a loop written by hand: instructions, by callgrind.
#include <iostream>
#include <regex>
#include <string>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace semel::test;

/// Instructions in measured_loop(), and what came of all records.
struct Counted {
  double instructions = 0;
  std::string sum;
};

Counted count(const std::string& what) {
  const TempDir dir;
  const auto profile = dir / "callgrind.out";
  const auto result =
      run({.argv = {"valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + profile,
                    "--toggle-collect=measured_loop", SEMEL_FUSED, what}},
          std::chrono::minutes(3));
  INFO(result.err);
  REQUIRE(result.code == 0);
  std::smatch total;
  const auto text = read_file(profile);
  REQUIRE(std::regex_search(text, total, std::regex("\ntotals: ([0-9]+)")));
  return {std::stod(total[1]), result.out};
}

void at_most(double ratio, const std::string& stages, const std::string& loop) {
  const auto fused = count(stages);
  const auto by_hand = count(loop);
  std::cout << stages << ": " << fused.instructions / by_hand.instructions << " x a loop by hand\n";
  CHECK(fused.sum == by_hand.sum);
  CHECK(by_hand.instructions > 100'000);
  CHECK(fused.instructions <= ratio * by_hand.instructions);
}

}  // namespace

TEST_CASE("map, filter and map cost no more than 1.1 loops by hand") {
  at_most(1.1, "stages", "loop");
}

TEST_CASE("flat_map, filter and map cost no more than 1.1 loops by hand") {
  at_most(1.1, "flat", "flat-loop");
}
