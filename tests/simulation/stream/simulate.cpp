// The simulation of streams by hand, and for nights: as `simulate`. --at-home, first: with a state
// that is in one of the outputs.
#include <string_view>

#include "simulation/by_hand.hpp"
#include "simulation/stream/simulation.hpp"

int main(int argc, char** argv) {
  namespace stream = semel::stream_simulation;
  if (argc < 2 || std::string_view(argv[1]) != "--at-home") {
    return semel::simulation::by_hand(argc, argv, stream::variant());
  }
  argv[1] = argv[0];
  return semel::simulation::by_hand(argc - 1, argv + 1, stream::variant_at_home());
}
