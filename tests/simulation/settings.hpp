// How the processes of a run are configured, and what may go wrong in it.
#pragma once

#include "simulation/choices.hpp"
#include "simulation/process.hpp"
#include "simulation/simulation.hpp"

namespace semel::simulation {

constexpr int tries_for_ever = 1'000'000;

Settings choose_settings(Choices& choices, const Variant& variant);

}  // namespace semel::simulation
