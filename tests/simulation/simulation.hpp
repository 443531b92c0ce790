// The decisions of src/core under schedules that nobody would try by hand: processes that crash,
// freeze and overlap, on a Kafka, a sink, a disk and clocks that misbehave, one small step at a
// time, in one thread, all of it determined by a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/batch_clock.hpp"
#include "simulation/choices.hpp"
#include "simulation/sink.hpp"

namespace semel::simulation {

/// What is not drawn: a seed is the same run under the same variant only.
struct Variant {
  Bugs bugs{};
  core::BatchClock clock = core::BatchClock::none;
  /// Another simulation than this one, from its beginning to its end.
  void (*world)(Choices& choices, const std::function<void(const std::string&)>& tell) = nullptr;
  const char* program = "simulate";  ///< that runs it
};

struct Failure {
  std::string rule;
  std::string what;
  std::vector<std::uint32_t> schedule;  ///< replays it
};

/// Runs one seed to its end: random steps with faults, then steps without until everything is
/// committed. Nothing if every promise held.
std::optional<Failure> run_seed(std::uint64_t seed, const Variant& variant = {});

/// Replays a recorded schedule; `tell` gets a line for each thing that happened.
std::optional<Failure> run_schedule(const std::vector<std::uint32_t>& schedule,
                                    const Variant& variant = {},
                                    const std::function<void(const std::string&)>& tell = {});

/// A shorter schedule that breaks the same rule, found by leaving out and lowering choices.
Failure shorten(const Failure& failure, const Variant& variant = {}, int attempts = 3'000);

}  // namespace semel::simulation
