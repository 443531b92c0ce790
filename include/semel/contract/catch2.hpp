// The contract of sinks in Catch2, 2 or 3.
#pragma once

#include <semel/contract.hpp>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace semel::contract {

/// Inside a TEST_CASE, which has nothing else: each case is a section of it. One that is skipped
/// says so as a warning: with Catch2's own SKIP the whole program would count as skipped, and
/// Catch2 2 has none.
inline void run_in_catch2(const MakeSubject& make, Guarantee guarantee,
                          const Options& options = {}) {
  for (const auto& rule : cases(guarantee, options)) {
    DYNAMIC_SECTION(rule.name) {
      const auto run = [&] {
        try {
          rule.run(make);
        } catch (const Skipped& skipped) {
          WARN("skipped: " << rule.name << ": " << skipped.what());
        }
      };
      REQUIRE_NOTHROW(run());
    }
  }
}

}  // namespace semel::contract
