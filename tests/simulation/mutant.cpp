#include "simulation/mutant.hpp"

#include <fmt/format.h>
#include <fstream>
#include <sstream>

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

/// The simulation with this mutant in it. Fails the test where it cannot be made.
std::string build(const Mutant& mutant, const std::string& libraries, const TempDir& dir) {
  const std::string root = SEMEL_SOURCE_ROOT;
  auto code = read(fmt::format("{}/src/{}", root, mutant.file));
  const std::string original = mutant.original;
  const auto at = code.find(original);
  REQUIRE(at != std::string::npos);
  REQUIRE(code.find(original, at + 1) == std::string::npos);
  code.replace(at, original.size(), mutant.replacement);
  const std::string file = dir / "mutant.cpp";
  write_file(file, code);
  const std::string program = dir / "simulate";
  const auto built = run({.argv = {"sh", "-c",
                                   fmt::format("{} -std=c++20 -O1 -w -I{}/include -I{}/src {} {} "
                                               "-o {} -lfmt -pthread",
                                               SEMEL_CXX, root, root, file, libraries, program)}});
  INFO(built.out << built.err);
  REQUIRE(built.code == 0);
  return program;
}

}  // namespace

void find(std::span<const Mutant> mutants, const std::string& libraries) {
  for (const auto& mutant : mutants) {
    const TempDir dir;
    INFO(mutant.name);
    const auto program = build(mutant, libraries, dir);
    const auto result =
        run({.argv = {program, "--brief", "--seeds", std::to_string(mutant.found_within), "--clock",
                      mutant.clock}});
    INFO(result.out << result.err);
    CHECK(result.signal == 0);
    CHECK(result.code == 1);
    WARN(mutant.name << ": " << result.out.substr(0, result.out.find('\n')));
  }
}

}  // namespace semel::simulation
