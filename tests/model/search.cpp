#include "search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <regex>
#include <utility>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test::model {

namespace {

const std::filesystem::path models = std::filesystem::path(SEMEL_SOURCE_ROOT) / "tests/model";

std::chrono::seconds patience() {
  return std::chrono::seconds(long_mode() ? 3'600 : 120);
}

/// What pan said of one search.
struct Search {
  std::string report;
  std::string trail;  ///< the counterexample, step by step; empty where there is none
  int errors = -1;
  std::uint64_t states = 0;
  bool complete = false;

  bool found(const std::string& what) const { return report.find(what) != std::string::npos; }
};

/// Spin writes the checker, gcc compiles it, it searches. Liveness: with weak fairness, for cycles
/// in which the property never becomes true.
Search search(const std::string& model, const Strings& flags, std::uint64_t states_min) {
  const bool liveness = std::ranges::find(flags, "-DLIVENESS") != flags.end();
  const TempDir dir("semel-model");
  const auto in_dir = [&](Strings argv) {
    return run({.argv = std::move(argv), .directory = dir.path().string()}, patience());
  };
  for (const auto& file : std::filesystem::directory_iterator(models)) {
    if (file.path().extension() == ".pml") std::filesystem::copy(file.path(), dir.path());
  }
  const auto began = std::chrono::steady_clock::now();
  const auto made = in_dir(Strings{"spin", "-a"} + flags + Strings{model});
  INFO(fmt::format("spin -a {} {}\n{}{}", fmt::join(flags, " "), model, made.out, made.err));
  REQUIRE(made.code == 0);
  // Most searches are over before an optimizing compiler is.
  const char* effort = long_mode() ? "-O2" : states_min >= 100'000 ? "-O1" : "-O0";
  Strings compile{"gcc", effort, "-w", fmt::format("-DMEMLIM={}", long_mode() ? 4'000 : 1'500)};
  if (long_mode()) compile.emplace_back("-DCOLLAPSE");
  if (!liveness) compile.emplace_back("-DSAFETY");
  const auto compiled = in_dir(compile + Strings{"-o", "pan", "pan.c"});
  INFO(compiled.err);
  REQUIRE(compiled.code == 0);
  const auto ran =
      in_dir(Strings{"./pan", "-m500000"} + (liveness ? Strings{"-a", "-f"} : Strings{}));

  Search result{.report = ran.out + ran.err};
  std::smatch match;
  if (std::regex_search(result.report, match, std::regex("errors: ([0-9]+)"))) {
    result.errors = std::stoi(match[1]);
  }
  if (std::regex_search(result.report, match, std::regex(" ([0-9.e+]+) states, stored"))) {
    result.states = static_cast<std::uint64_t>(std::stod(match[1]));
  }
  // "Warning: Search not completed" is what an error leads to as well; the rest is truncation.
  result.complete = ran.signal == 0 && result.errors == 0 &&
                    !result.found("max search depth too small") &&
                    !result.found("Search not completed") && !result.found("out of memory") &&
                    !result.found("hash factor");
  if (result.errors > 0) {
    result.trail = in_dir(Strings{"spin", "-t", "-p"} + flags + Strings{model}).out;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << fmt::format("   {} {}: {} states, {} ({:.1f} s)\n", model, fmt::join(flags, " "),
                           result.states, result.errors == 0 ? "no error" : "counterexample",
                           took.count());
  return result;
}

}  // namespace

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

bool long_mode() {
  const char* mode = std::getenv("SEMEL_MODEL");
  return mode != nullptr && std::string(mode) == "long";
}

bool spin_is_there() {
  const auto found = [](const Strings& argv) {
    try {
      return run({.argv = argv}).code == 0;
    } catch (const std::exception&) {
      return false;
    }
  };
  if (found({"spin", "-V"}) && found({"gcc", "--version"})) return true;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") {
    FAIL("spin or gcc is missing, and with CI=true nothing may be skipped");
  }
  // With its name: the runner counts different lines.
  std::cout << "skipped: " << Catch::getResultCapture().getCurrentTestName()
            << ": spin or gcc is missing (apt-get install spin gcc)\n";
  return false;
}

void holds(const std::string& model, const Strings& flags, std::uint64_t states_min) {
  const auto result = search(model, flags, states_min);
  INFO(fmt::format("{} {}\n{}\n{}", model, fmt::join(flags, " "), result.report, result.trail));
  CHECK(result.errors == 0);
  CHECK(result.complete);
  CHECK(result.states >= states_min);
}

void is_caught(const std::string& model, const Strings& flags, const std::string& kind) {
  const auto result = search(model, flags, 0);
  INFO(fmt::format("{} {}\nexpected: {}\n{}\n{}", model, fmt::join(flags, " "), kind, result.report,
                   result.trail));
  CHECK(result.errors >= 1);
  CHECK(result.found(kind));
  CHECK_FALSE(result.trail.empty());
}

}  // namespace semel::test::model
