// The contract in a program of its own: of a right sink, of one with a mistake where the first
// argument says so, or of a right one that tells nothing of what it stores.
#include <semel/contract/main.hpp>

#include <iostream>
#include <string_view>

#include "contract/mistaken_sink.hpp"

using namespace semel::contract;

int main(int argc, char** argv) {
  const std::string_view which = argc > 1 ? argv[1] : "right";
  const auto mistake = which == "mistaken" ? Mistake::owner_is_not_compared : Mistake::none;
  const auto manner = which == "silent" ? Manner::tells_nothing : Manner::plain;
  constexpr auto guarantee = semel::Guarantee::transactional;
  return run_and_tell(
      std::cout, [=] { return mistaken_subject(mistake, guarantee, manner); }, guarantee);
}
