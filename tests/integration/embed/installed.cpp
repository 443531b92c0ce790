#include "integration/embed/installed.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "base/joined.hpp"
#include "support/catch.hpp"

namespace semel::test {

namespace {

namespace fs = std::filesystem;

/// "address,undefined", or "none".
constexpr std::string_view sanitize = SEMEL_SANITIZE;

// The library alone, with another one, and with the contract of sinks.
constexpr const char* by_cmake[] = {"first_pipeline", "own_transaction_pqxx", "own_sink"};

bool all_ways() {
  const auto* wanted = std::getenv("SEMEL_WAYS");
  return wanted != nullptr && std::string_view(wanted) == "all";
}

// All examples, beside whatever else compiles.
constexpr auto compiling_at_most = std::chrono::minutes(10);

std::string compiler() {
  std::istringstream words(SEMEL_CXX);
  std::string last;
  // A compiler cache before it has nothing to win here.
  for (std::string word; words >> word;) last = word;
  return last;
}

}  // namespace

std::string succeed(ProcessOptions options, std::chrono::milliseconds at_most) {
  const auto command = joined(options.argv, " ");
  const auto result = run(std::move(options), at_most);
  INFO(command << "\n" << result.out << result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

std::set<std::string>& ExampleTest::all() {
  static std::set<std::string> names;
  return names;
}

const Installed& Installed::shared() {
  static const Installed installed;
  return installed;
}

std::vector<std::string> Installed::sanitizer_flags() {
  if (sanitize == "none") return {};
  return {fmt::format("-fsanitize={}", sanitize)};
}

Installed::Installed() {
  const auto destination = dir_.path() / "root";
  succeed({.argv = {"meson", "install", "-C", SEMEL_BUILD_ROOT, "--no-rebuild", "--quiet", "--tags",
                    "runtime,devel"},
           .env = {{"DESTDIR", destination.string()}}});
  // Somewhere else than where it was meant to be: nothing in it may name that place.
  prefix_ = dir_.path() / "prefix";
  fs::rename(destination.string() + SEMEL_PREFIX, prefix_);
  build_by_pkg_config();
  if (sanitize == "none") build_by_cmake();
}

std::vector<Way> Installed::ways(const std::string& example) {
  if (sanitize != "none") return {Way::pkg_config};
  const bool one_of_a_kind = std::ranges::find(by_cmake, example) != std::end(by_cmake);
  if (all_ways() || one_of_a_kind) return {Way::pkg_config, Way::cmake};
  return {Way::pkg_config};
}

fs::path Installed::library(const std::string& name) const {
  return prefix_ / SEMEL_LIBDIR / ("lib" + name + ".so");
}

std::map<std::string, std::string> Installed::environment() const {
  return {{"PKG_CONFIG_PATH", (prefix_ / SEMEL_LIBDIR / "pkgconfig").string()},
          {"CMAKE_PREFIX_PATH", prefix_.string()},
          {"CXX", compiler()}};
}

void Installed::build_by_pkg_config() const {
  std::vector<std::string> setup{"meson",
                                 "setup",
                                 dir_ / "pkg-config",
                                 SEMEL_SOURCE_ROOT "/examples",
                                 "-Dwerror=true",
                                 "-Doptimization=0",
                                 "-Ddebug=false"};
  if (sanitize != "none") {
    setup.push_back(fmt::format("-Db_sanitize={}", sanitize));
    setup.emplace_back("-Db_lundef=false");
  }
  succeed({.argv = setup, .env = environment()});
  succeed({.argv = {"ninja", "-j2", "-C", dir_ / "pkg-config"}, .env = environment()},
          compiling_at_most);
}

void Installed::build_by_cmake() const {
  std::vector<std::string> setup{
      "cmake",
      "-S",
      SEMEL_SOURCE_ROOT "/examples",
      "-B",
      dir_ / "cmake",
      "-G",
      "Ninja",
      "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror " + joined(sanitizer_flags(), " ")};
  succeed({.argv = setup, .env = environment()});
  std::vector<std::string> build{"ninja", "-j2", "-C", dir_ / "cmake"};
  if (!all_ways()) build.insert(build.end(), std::begin(by_cmake), std::end(by_cmake));
  succeed({.argv = build, .env = environment()}, compiling_at_most);
}

ProcessOptions Installed::example(const std::string& name, Way way,
                                  const std::vector<std::string>& arguments) const {
  const auto folder = way == Way::cmake ? "cmake" : "pkg-config";
  std::vector<std::string> argv{(dir_.path() / folder / name).string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ProcessOptions options{.argv = std::move(argv),
                         .env = {{"XDG_STATE_HOME", dir_ / unique_name("state")}}};
  // Of what librdkafka starts its threads with, ThreadSanitizer knows nothing.
  if (std::string_view(SEMEL_TSAN_CALLS) != "") options.env["LD_PRELOAD"] = SEMEL_TSAN_CALLS;
  return options;
}

}  // namespace semel::test
