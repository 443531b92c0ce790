// The simulation of streams by hand, and for nights: as `simulate`.
#include "simulation/by_hand.hpp"
#include "simulation/stream/simulation.hpp"

int main(int argc, char** argv) {
  return semel::simulation::by_hand(argc, argv, semel::stream_simulation::variant());
}
