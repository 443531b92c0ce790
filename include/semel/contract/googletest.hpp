// The contract of sinks in GoogleTest, 1.10 or later.
#pragma once

#include <cctype>
#include <cstddef>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <semel/contract.hpp>

namespace semel::contract {

/// Each case is a test of `suite`. Before RUN_ALL_TESTS: in main(), or to initialise a constant
/// where main() is GoogleTest's. How many tests there are.
inline std::size_t register_in_googletest(const std::string& suite, const MakeSubject& make,
                                          Guarantee guarantee, const Options& options = {}) {
  struct Test : testing::Test {
    Case rule;
    MakeSubject make;
    Test(Case r, MakeSubject m) : rule(std::move(r)), make(std::move(m)) {}
    void TestBody() override {
      try {
        rule.run(make);
      } catch (const Skipped& skipped) {
        GTEST_SKIP() << skipped.what();
      }
    }
  };
  const auto all = cases(guarantee, options);
  for (const auto& rule : all) {
    // Filters know names without blanks and signs.
    auto name = rule.name;
    for (auto& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [rule, make]() -> testing::Test* { return new Test(rule, make); });
  }
  return all.size();
}

}  // namespace semel::contract
