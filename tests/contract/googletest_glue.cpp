// The contract in GoogleTest, with its main(): of a right sink, of one with a mistake where the
// first argument says so, or of a right one that tells nothing of what it stores.
#include <semel/contract/googletest.hpp>

#include <string_view>

#include "contract/mistaken_sink.hpp"

using namespace semel::contract;

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::string_view which = argc > 1 ? argv[1] : "right";
  const auto mistake = which == "mistaken" ? Mistake::owner_is_not_compared : Mistake::none;
  const auto manner = which == "silent" ? Manner::tells_nothing : Manner::plain;
  constexpr auto guarantee = semel::Guarantee::transactional;
  register_in_googletest(
      "MemorySink", [=] { return mistaken_subject(mistake, guarantee, manner); }, guarantee);
  return RUN_ALL_TESTS();
}
