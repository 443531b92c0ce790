#include "simulation/by_hand.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <string>

#include "simulation/many.hpp"

namespace semel::simulation {

int by_hand(int argc, char** argv, Variant variant) {
  CLI::App app{"Runs the decisions of semel under random schedules of faults."};
  std::uint64_t seeds = 20'000;
  std::uint64_t first = 0;
  unsigned threads = 2;
  std::optional<std::uint64_t> replay;
  app.add_option("--seeds", seeds, "how many seeds to run")->capture_default_str();
  app.add_option("--first", first, "the first of them")->capture_default_str();
  app.add_option("--threads", threads, "seeds run at the same time")->capture_default_str();
  const std::map<std::string, core::BatchClock> clocks{
      {"none", core::BatchClock::none},
      {"with_records", core::BatchClock::with_records},
      {"each_interval", core::BatchClock::each_interval}};
  app.add_option("--clock", variant.clock, "which batches move ~batches")
      ->transform(CLI::CheckedTransformer(clocks));
  bool brief = false;
  app.add_flag("--brief", brief, "of a failure only which seed, and what it broke");
  app.add_option("--replay", replay, "run this seed only, and tell what happens");
  CLI11_PARSE(app, argc, argv);

  const auto began = std::chrono::steady_clock::now();
  const auto failing =
      replay ? fail_of(*replay, variant) : run_seeds(first, seeds, threads, variant);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (!failing) {
    fmt::print("{} seeds from {}: every promise held ({:.1f} s)\n", replay ? 1 : seeds,
               replay ? *replay : first, took.count());
    return 0;
  }
  if (brief) {
    fmt::print("seed {} breaks {}\n", failing->seed, failing->failure.what);
  } else {
    fmt::print("{}", describe(*failing));
  }
  return 1;
}

}  // namespace semel::simulation
