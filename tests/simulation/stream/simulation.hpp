// Streams with state and several outputs under schedules that nobody would try by hand (decision
// 15): src/stream and src/state as they are, with databases, machines and processes that fail.
#pragma once

#include <functional>
#include <string>

#include "simulation/choices.hpp"
#include "simulation/simulation.hpp"

namespace semel::stream_simulation {

/// As Variant::world.
void run(simulation::Choices& choices, const std::function<void(const std::string&)>& tell);

/// The same, with a state that is in one of the outputs (state = "sink").
void run_at_home(simulation::Choices& choices, const std::function<void(const std::string&)>& tell);

inline simulation::Variant variant_at_home() {
  return {.world = run_at_home, .program = "simulate-stream --at-home"};
}

inline simulation::Variant variant() {
  return {.world = run, .program = "simulate-stream"};
}

}  // namespace semel::stream_simulation
