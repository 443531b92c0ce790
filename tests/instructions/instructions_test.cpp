// The regression guard: instructions per record, counted by callgrind, against stored figures
// (bench/instructions/README.md). Time would be noise; instructions repeat exactly.
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace {

using semel::test::ProcessResult;
using semel::test::read_file;
using semel::test::TempDir;
using semel::test::write_file;

const std::filesystem::path folder =
    std::filesystem::path(SEMEL_SOURCE_ROOT) / "bench/instructions";

constexpr int within = 0;
constexpr int differs = 1;
constexpr int cannot_compare = 3;

ProcessResult compare(std::vector<std::string> arguments) {
  std::vector<std::string> command{(folder / "run").string(), "--build", SEMEL_BUILD_ROOT};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto result = semel::test::run({.argv = command}, std::chrono::minutes(3));
  std::cout << result.out;
  return result;
}

/// True: it was said why it cannot be compared on this machine. With CI=true that is a failure.
bool skipped(const ProcessResult& result) {
  if (result.code != cannot_compare) return false;
  std::string reason = result.out;
  std::ranges::replace(reason, '\n', ' ');
  std::cout << fmt::format("skipped: {}: {}\n", Catch::getResultCapture().getCurrentTestName(),
                           reason);
  return true;
}

void holds(const std::string& shape) {
  const auto result = compare({shape});
  if (skipped(result)) return;
  INFO(result.out << result.err);
  CHECK(result.code == within);
}

/// Figures of a tiny record as they are now, in a file of the test's own, to be falsified.
class OwnFigures {
 public:
  OwnFigures() : stored_(compare_with({"--store"})) {}

  const ProcessResult& stored() const { return stored_; }
  template <class Change>
  ProcessResult compare_after(Change change) const {
    auto book = nlohmann::json::parse(read_file(file_));
    change(book.at(0).at("toolchain"), book.at(0).at("shapes").at("tiny"));
    const auto before = read_file(file_);
    write_file(file_, book.dump());
    auto result = compare_with({});
    write_file(file_, before);
    return result;
  }

 private:
  ProcessResult compare_with(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--stored", file_, "tiny"});
    return compare(std::move(arguments));
  }

  TempDir dir_;
  std::string file_ = dir_ / "stored.json";
  ProcessResult stored_;
};

}  // namespace

TEST_CASE("decode and encode of an event take no more instructions than stored") {
  holds("events");
}

TEST_CASE("decode and encode of a tiny record take no more instructions than stored") {
  holds("tiny");
}

TEST_CASE("decode and encode of a record of 40 columns take no more instructions than stored") {
  holds("wide");
}

TEST_CASE("decode and encode of a text of 100 KiB take no more instructions than stored") {
  holds("large");
}

TEST_CASE("decode and encode of every type take no more instructions than stored") {
  holds("types");
}

TEST_CASE("decode and encode of mapped columns take no more instructions than stored") {
  holds("mapped");
}

TEST_CASE("decode and encode into COPY's text take no more instructions than stored") {
  holds("text");
}

TEST_CASE("1 % of bad records take no more instructions than stored") {
  holds("dead");
}

TEST_CASE("a change of instructions beyond 5 % is told, either way") {
  const OwnFigures figures;
  if (skipped(figures.stored())) return;
  REQUIRE(figures.stored().code == within);
  const auto against = [&](double factor) {
    return figures.compare_after([&](auto& /*toolchain*/, auto& figure) {
      figure["instructions"] = figure["instructions"].template get<double>() * factor;
    });
  };
  const auto slower = against(1 / 1.07);
  CHECK(slower.code == differs);
  CHECK_THAT(slower.out, Catch::Contains("slower"));
  const auto faster = against(1 / 0.93);
  CHECK(faster.code == differs);
  CHECK_THAT(faster.out, Catch::Contains("faster"));
  CHECK(against(1 / 1.03).code == within);
}

TEST_CASE("other records than those that were stored are told") {
  const OwnFigures figures;
  if (skipped(figures.stored())) return;
  const auto result = figures.compare_after(
      [](auto& /*toolchain*/, auto& figure) { figure["value_bytes"] = 31.0; });
  CHECK(result.code == differs);
  CHECK_THAT(result.out, Catch::Contains("other records"));
}

TEST_CASE("figures of another compiler are not compared, and it is named") {
  const OwnFigures figures;
  if (skipped(figures.stored())) return;
  const auto result = figures.compare_after(
      [](auto& toolchain, auto& /*figure*/) { toolchain["compiler"] = "other 1.0"; });
  CHECK(result.code == cannot_compare);
  CHECK_THAT(result.out, Catch::Contains("other 1.0"));
}
