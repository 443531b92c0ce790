// The whole program with its records on the console.
#include <fmt/format.h>

#include <chrono>
#include <set>
#include <sstream>
#include <thread>

#include "fault/small_disk.hpp"
#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

struct OnConsole : Rig {
  explicit OnConsole(const std::string& delivery = "delivery = \"at_least_once\"\n") : Rig(2) {
    write_file(config(), fmt::format("name = \"{0}\"\nstate_dir = \"{1}\"\n{2}[source.kafka]\n"
                                     "brokers = \"{3}\"\ntopics = [\"{0}\"]\n[sink.console]\n",
                                     topic(), state_dir(), delivery,
                                     KafkaServer::shared().bootstrap_servers()));
  }
  /// `semel run CONFIG --once`, and what a shell puts behind it.
  ProcessResult run_into(const std::string& behind) const {
    return run({.argv = {"bash", "-c",
                         fmt::format("{} run {} --once {}", SEMEL_BINARY, config(), behind)}});
  }
};

/// How many lines have ids, of which there are no others; each is counted once.
std::set<std::int64_t> ids_of(const std::string& out) {
  std::set<std::int64_t> ids;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    REQUIRE(line.starts_with("{\"topic\":"));
    REQUIRE(ids.insert(std::stoll(line.substr(line.find("\"id\":") + 5))).second);
  }
  return ids;
}

}  // namespace

TEST_CASE("each start prints all records, once, and nothing else goes to standard output") {
  if (!kafka_available()) return;
  OnConsole console;
  console.produce(500);
  for (int start = 0; start < 2; ++start) {
    const auto result = console.run_into("");
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(ids_of(result.out).size() == 500);
    CHECK(result.err.find("name-") == std::string::npos);
  }
  const auto checked = console.finish("check", {"--sample", "1"});
  CHECK(checked.code == 0);
  for (const auto* command : {"status", "verify"}) {
    const auto told = console.finish(command);
    CHECK(told.code == 4);
    CHECK_THAT(told.out + told.err, Catch::Contains("the console keeps no ledger"));
  }
}

TEST_CASE("more than the console can give is refused, with what to say instead") {
  if (!kafka_available()) return;
  for (const auto* delivery : {"", "delivery = \"at_most_once\"\n"}) {
    OnConsole console(delivery);
    const auto refused = console.run_into("");
    CHECK(refused.code == 2);
    CHECK(refused.out.empty());
    CHECK_THAT(refused.err,
               Catch::Contains("sink.console") && Catch::Contains("delivery = \"at_least_once\""));
  }
}

TEST_CASE("a reader that ends ends the run, and one that is slow gets all") {
  if (!kafka_available()) return;
  OnConsole console;
  console.produce(20'000);
  const auto ended = console.run_into("| head -n 1; exit ${PIPESTATUS[0]}");
  CHECK(ended.code == 4);
  CHECK(ended.out.starts_with("{\"topic\":"));
  CHECK_THAT(ended.err, Catch::Contains("whoever read it has ended"));
  // More than a pipe holds waits for a reader that has not begun.
  const auto slow = console.run_into("| (sleep 1; wc -l)");
  CHECK(slow.code == 0);
  CHECK(std::stoi(slow.out) == 20'000);
}

TEST_CASE("a full disk behind standard output is waited for, and no line is torn or repeated") {
  if (!kafka_available()) return;
  SmallDisk disk(1);
  if (skip(disk)) return;
  OnConsole console;
  console.produce(20'000);  // 4 MB of lines
  const auto printed = disk.path() + "/printed";
  Process semel({.argv = {"bash", "-c",
                          fmt::format("exec {} run {} --once > {}", SEMEL_BINARY, console.config(),
                                      printed)}});
  CHECK(eventually(
      [&] { return semel.err().find("waiting until there is room") != std::string::npos; }));
  // Little by little: lines end in the middle wherever the disk was full.
  for (int mib = 2; mib < 8; ++mib) {
    disk.grow(mib);
    std::this_thread::sleep_for(100ms);
  }
  const auto ended = semel.wait(60s);
  INFO(semel.err());
  CHECK((ended && ended->code == 0));
  CHECK(ids_of(read_file(printed)).size() == 20'000);
}

TEST_CASE("a standard output that is closed is refused, and so is one that can only be read") {
  if (!kafka_available()) return;
  OnConsole console;
  console.produce(10);
  for (const auto* closed : {">&-", "1</dev/null"}) {
    const auto refused = console.run_into(closed);
    CAPTURE(closed);
    CHECK(refused.code == 4);
    CHECK_THAT(refused.err, Catch::Contains("standard output is closed"));
  }
  const auto checked = run({.argv = {"bash", "-c",
                                     fmt::format("{} check {} 3>&1 >&2 2>&3 3>&- >&-", SEMEL_BINARY,
                                                 console.config())}});
  CHECK(checked.code == 4);
}
