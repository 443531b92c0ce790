// The contract in GoogleTest, in a program of its own, and where cases are skipped, in Catch2.
#include <semel/contract/catch2.hpp>

#include <algorithm>

#include "contract/mistaken_sink.hpp"
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
  const auto silent = test::run({.argv = {SEMEL_GOOGLETEST_GLUE, "silent"}});
  CHECK(silent.code == 0);
  CHECK_THAT(silent.out,
             Catch::Contains("[  SKIPPED ] MemorySink.keys_and_values_are_stored_as_they_came") &&
                 Catch::Contains("expected() tells nothing"));
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
  const auto silent = test::run({.argv = {SEMEL_MAIN_GLUE, "silent"}});
  CHECK(silent.code == 0);
  CHECK(times(silent.out, "\nok ") == transactional);
  CHECK_THAT(silent.out, Catch::Contains(" - keys and values are stored as they came # SKIP "
                                         "expected() tells nothing of any record that is asked\n"));
}

TEST_CASE("in Catch2 a case that is skipped says so, and fails nothing") {
  contract::run_in_catch2(
      [] {
        return contract::mistaken_subject(contract::Mistake::none, Guarantee::transactional,
                                          contract::Manner::tells_nothing);
      },
      Guarantee::transactional);
}
