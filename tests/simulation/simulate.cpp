// The simulation of one output by hand, and for nights.
#include "simulation/by_hand.hpp"

int main(int argc, char** argv) {
  return semel::simulation::by_hand(argc, argv, {});
}
