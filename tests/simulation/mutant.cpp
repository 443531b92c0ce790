#include "simulation/mutant.hpp"

#include <fmt/format.h>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string_view>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::simulation {

using namespace semel::test;

namespace {

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

const std::string root = SEMEL_SOURCE_ROOT;

// A simulation that finds nothing runs through all of its seeds, beside whatever else there is to
// do.
constexpr auto patience = std::chrono::minutes(14);

std::string text_of(const Mutant& mutant) {
  return read(fmt::format("{}/src/{}", root, mutant.file));
}

/// Its file with it. Fails the test where it does not apply.
std::string mutated(const Mutant& mutant) {
  INFO(mutant.name);
  auto code = text_of(mutant);
  const std::string original = mutant.original;
  const auto at = code.find(original);
  REQUIRE(at != std::string::npos);
  REQUIRE(code.find(original, at + 1) == std::string::npos);
  code.replace(at, original.size(), mutant.replacement);
  return code;
}

/// The simulation with this mutant in it.
std::string build(const std::string& code, const std::string& libraries, const TempDir& dir) {
  const std::string file = dir / "mutant.cpp";
  write_file(file, code);
  const std::string program = dir / "simulate";
  const auto built = run({.argv = {"sh", "-c",
                                   fmt::format("{} -std=c++20 -O1 -w -I{}/include -I{}/src {} {} "
                                               "-o {} -lfmt -pthread",
                                               SEMEL_CXX, root, root, file, libraries, program)}},
                         patience);
  INFO(built.out << built.err);
  REQUIRE(built.code == 0);
  return program;
}

}  // namespace

void find(std::span<const Mutant> mutants, const std::string& libraries) {
  const auto* wanted = std::getenv("SEMEL_MUTANTS");
  const bool all = wanted != nullptr && std::string_view(wanted) == "all";
  std::string files;
  for (const auto& mutant : mutants) files += text_of(mutant);
  const auto first = std::hash<std::string>()(files) % 3;
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    const auto& mutant = mutants[i];
    const auto code = mutated(mutant);
    if (!all && i % 3 != first) continue;
    const TempDir dir;
    INFO(mutant.name);
    const auto program = build(code, libraries, dir);
    std::vector<std::string> argv{program};
    if (*mutant.first != '\0') argv.emplace_back(mutant.first);
    for (const auto& more :
         {std::string("--brief"), std::string("--seeds"), std::to_string(mutant.found_within),
          std::string("--clock"), std::string(mutant.clock)}) {
      argv.push_back(more);
    }
    const auto result = run({.argv = std::move(argv)}, patience);
    INFO(result.out << result.err);
    CHECK(result.signal == 0);
    CHECK(result.code == 1);
    WARN(mutant.name << ": " << result.out.substr(0, result.out.find('\n')));
  }
}

}  // namespace semel::simulation
