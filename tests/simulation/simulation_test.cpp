// The simulation as a test: many seeds hold, every rule taken out is noticed, and what fails can be
// repeated and read.
#include "simulation/simulation.hpp"

#include <cstdlib>
#include <string>

#include "simulation/many.hpp"
#include "support/catch.hpp"

using namespace semel::simulation;
using semel::core::BatchClock;

namespace {

constexpr unsigned threads = 2;

/// SEMEL_SIMULATION_SEEDS: how many, where a longer run is wanted (each night: 600,000).
std::uint64_t seeds() {
  const auto* wanted = std::getenv("SEMEL_SIMULATION_SEEDS");
  return wanted == nullptr ? 30'000 : std::stoull(wanted);
}

struct NamedBug {
  const char* name;
  bool Bugs::*bug;
  std::uint64_t found_within;  ///< seeds
};

// The bounds are ten times what it took when they were written.
const NamedBug bugs[] = {
    {"nothing moved, and COMMIT follows all the same", &Bugs::commit_without_guard, 1'000},
    {"the guard does not compare the owner's UUID", &Bugs::guard_without_owner, 20'000},
    {"the guard does not compare the position", &Bugs::guard_without_position, 1'000},
    {"the guard does not compare the batch time of the move before", &Bugs::guard_without_time,
     100'000},
    {"of several ranges, one row moved fewer is accepted", &Bugs::one_row_fewer, 50'000},
    {"the ledger is read before it is fenced", &Bugs::read_before_fence, 1'000},
    {"a partition is entered by whoever asks", &Bugs::enter_without_fence, 5'000},
    {"rows and ledger are two transactions", &Bugs::rows_apart, 1'000},
    {"the plan is not synced", &Bugs::plan_not_synced, 100},
    {"a lost reply counts as a failure, and the commit is repeated unguarded",
     &Bugs::doubt_is_failure, 1'000},
    {"a lost reply counts as a commit", &Bugs::doubt_is_success, 1'000},
};

}  // namespace

TEST_CASE("random schedules of faults keep every promise, and the last record is committed") {
  const auto failing = run_seeds(0, seeds(), threads);
  if (failing) FAIL(describe(*failing));
}

TEST_CASE("batches that are counted keep every promise, and each moves ~batches once") {
  for (const auto clock : {BatchClock::with_records, BatchClock::each_interval}) {
    const auto failing = run_seeds(0, seeds() / 8, threads, {.clock = clock});
    if (failing) FAIL(describe(*failing));
  }
}

TEST_CASE("each rule of the protocol that is taken out is noticed") {
  for (const auto& [name, bug, found_within] : bugs) {
    Bugs only;
    only.*bug = true;
    const auto failing = run_seeds(0, found_within, threads, {only});
    INFO(name);
    CHECK(failing.has_value());
    if (failing) WARN(name << ": seed " << failing->seed << ", " << failing->failure.what);
  }
}

TEST_CASE("the same seed is the same run, to the last choice") {
  Bugs bug;
  bug.commit_without_guard = true;
  const auto failing = run_seeds(0, 1'000, 1, {bug});
  REQUIRE(failing);
  const auto again = run_seed(failing->seed, {bug});
  REQUIRE(again);
  CHECK(again->what == failing->failure.what);
  CHECK(again->schedule == failing->failure.schedule);
  const auto replayed = run_schedule(failing->failure.schedule, {bug});
  REQUIRE(replayed);
  CHECK(replayed->what == failing->failure.what);
}

TEST_CASE("a failing schedule is shortened, and still breaks the same rule") {
  Bugs bug;
  bug.rows_apart = true;
  const auto failing = run_seeds(0, 1'000, 1, {bug});
  REQUIRE(failing);
  const auto shortened = shorten(failing->failure, {bug});
  CHECK(shortened.rule == failing->failure.rule);
  CHECK(shortened.schedule.size() < failing->failure.schedule.size() / 2);
  CHECK(run_schedule(shortened.schedule, {bug})->rule == shortened.rule);
}
