// The contract in GoogleTest, with its main(): of a right sink, or of one with a mistake where the
// first argument says so. Meson expects the first to pass and the second to fail.
#include <semel/contract/googletest.hpp>

#include <string_view>

#include "contract/mistaken_sink.hpp"

using namespace semel::contract;

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool mistaken = argc > 1 && std::string_view(argv[1]) == "mistaken";
  register_in_googletest(
      "MemorySink",
      [mistaken] {
        return mistaken_subject(mistaken ? Mistake::owner_is_not_compared : Mistake::none);
      },
      semel::Guarantee::transactional);
  return RUN_ALL_TESTS();
}
