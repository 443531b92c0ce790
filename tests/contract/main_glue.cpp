// The contract in a program of its own: of a right sink, or of one with a mistake where the first
// argument says so. Meson expects the first to pass and the second to fail.
#include <semel/contract/main.hpp>

#include <iostream>
#include <string_view>

#include "contract/mistaken_sink.hpp"

using namespace semel::contract;

int main(int argc, char** argv) {
  const bool mistaken = argc > 1 && std::string_view(argv[1]) == "mistaken";
  return run_and_tell(
      std::cout,
      [mistaken] {
        return mistaken_subject(mistaken ? Mistake::owner_is_not_compared : Mistake::none);
      },
      semel::Guarantee::transactional);
}
