// The contract where Catch2 is not: in GoogleTest, and in a program of its own.
#include <semel/contract.hpp>

#include <algorithm>

#include "support/catch.hpp"
#include "support/process.hpp"

using namespace semel;

namespace {

const auto transactional = contract::cases(Guarantee::transactional).size();

std::size_t times(const std::string& text, const std::string& wanted) {
  std::size_t found = 0;
  for (auto at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("GoogleTest runs each case as a test, and fails those that a sink breaks") {
  const auto right = test::run({.argv = {SEMEL_GOOGLETEST_GLUE}});
  CHECK(right.code == 0);
  CHECK(times(right.out, "[       OK ] MemorySink.") == transactional);
  const auto mistaken = test::run({.argv = {SEMEL_GOOGLETEST_GLUE, "mistaken"}});
  CHECK(mistaken.code == 1);
  CHECK_THAT(
      mistaken.out,
      Catch::Contains("[  FAILED  ] "
                      "MemorySink.an_epoch_alone_is_not_enough__it_repeats_after_a_failover") &&
          Catch::Contains("expected to be refused, came a commit"));
}

TEST_CASE("a program of its own tells of each case in TAP, and ends with 1 where one is broken") {
  const auto right = test::run({.argv = {SEMEL_MAIN_GLUE}});
  CHECK(right.code == 0);
  CHECK_THAT(right.out, Catch::StartsWith("1.." + std::to_string(transactional) + "\nok 1 - "));
  CHECK(times(right.out, "\nok ") == transactional);
  const auto mistaken = test::run({.argv = {SEMEL_MAIN_GLUE, "mistaken"}});
  CHECK(mistaken.code == 1);
  CHECK(times(mistaken.out, "\nok ") == transactional - 1);
  CHECK_THAT(mistaken.out,
             Catch::Contains(" - an epoch alone is not enough: it repeats after a failover\n# "
                             "\"an epoch alone is not enough: it repeats after a failover\" does "
                             "not hold: the transaction: expected to be refused, came a commit\n"));
}
