// The library as its users have it: installed below a prefix of its own, and the examples built
// against that, once with what pkg-config says and once with what CMake finds.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

enum class Way : std::uint8_t { pkg_config, cmake };

class Installed {
 public:
  /// Made on first use; a test case that fails to make it fails.
  static const Installed& shared();

  /// Where include, lib and bin are.
  const std::filesystem::path& prefix() const { return prefix_; }
  std::filesystem::path library(const std::string& name = "semel") const;
  /// For pkg-config and CMake.
  std::map<std::string, std::string> environment() const;
  /// How this copy is instrumented, for who compiles by hand.
  static std::vector<std::string> sanitizer_flags();

  /// Those in which an example is tried. By CMake only some are: it tells the compiler the same for
  /// each, so one for each kind of library is enough. SEMEL_WAYS=all (nights): both for all of
  /// them.
  static std::vector<Way> ways(const std::string& example);

  /// Runs an example, and names it as one that has a test.
  ProcessOptions example(const std::string& name, Way way,
                         const std::vector<std::string>& arguments) const;

 private:
  Installed();
  void build_by_pkg_config() const;
  void build_by_cmake() const;

  TempDir dir_{"semel-installed"};
  std::filesystem::path prefix_;
};

/// Names an example as one that has a test; a static object beside the test.
struct ExampleTest {
  explicit ExampleTest(const std::string& name) { all().insert(name); }
  static std::set<std::string>& all();
};

/// Runs a program to its end, which has to be 0; what it printed.
std::string succeed(ProcessOptions options,
                    std::chrono::milliseconds at_most = std::chrono::minutes(2));

}  // namespace semel::test
