// A simulation as a program:
//   --seeds N [--first SEED] [--threads N]   run seeds; the first failure is shortened and told
//   --replay SEED                            tell what happens in one
#pragma once

#include "simulation/simulation.hpp"

namespace semel::simulation {

/// What main() returns.
int by_hand(int argc, char** argv, Variant variant);

}  // namespace semel::simulation
