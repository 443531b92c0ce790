// The process ends itself at each numbered place of a batch's way, and at pairs of them: once at
// work, and once more while it recovers from that. SEMEL_CRASH_PAIRS=all: at each pair (nights).
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "base/crash_point.hpp"
#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

constexpr std::string_view entered = "entered_partitions";

/// Runs until the crash point; false if the run came to its end without passing it.
bool crash(Rig& rig, std::string_view point) {
  rig.environment({{"SEMEL_CRASH_AT", std::string(point)}});
  const auto result = rig.finish("run", {"--once"});
  rig.environment({});
  INFO(point << "\n" << result.out << result.err);
  REQUIRE((result.signal == SIGKILL || (result.signal == 0 && result.code == 0)));
  return result.signal == SIGKILL;
}

/// Of all pairs a third: a point with itself, and with every third one before and behind it. Each
/// point is so the first of five pairs, and the second of five.
bool is_tried(std::string_view first, std::string_view second) {
  const auto* wanted = std::getenv("SEMEL_CRASH_PAIRS");
  if (wanted != nullptr && std::string_view(wanted) == "all") return true;
  const auto place = [](std::string_view name) {
    return std::ranges::find(semel::crash_point_names, name) - semel::crash_point_names.begin();
  };
  return (place(first) - place(second)) % 3 == 0;
}

void expect_all_rows(const Rig& rig) {
  CHECK(rig.rows() == rig.produced());
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == rig.produced());
}

}  // namespace

TEST_CASE("a crash at any numbered point, and another one in the recovery, change nothing") {
  if (!kafka_available()) return;
  REQUIRE(semel::has_crash_points);
  // Partitions are entered once: pairs with that point come first, while they are still new.
  auto second_points = semel::crash_point_names;
  std::ranges::stable_partition(second_points, [](auto name) { return name == entered; });
  std::set<std::string_view> reached_twice;
  for (const auto first : semel::crash_point_names) {
    CAPTURE(first);
    Rig rig(2);
    rig.configure("[batch]\nmax_records_per_partition = 10\n");
    for (const auto second : second_points) {
      if (!is_tried(first, second)) continue;
      CAPTURE(second);
      rig.produce(40);
      CHECK((crash(rig, first) || first == entered));
      rig.produce(40);
      const bool again = crash(rig, second);
      CHECK((again || second == entered));
      if (again) reached_twice.insert(second);
      rig.drain();
      expect_all_rows(rig);
    }
    rig.expect_exactly_once();
  }
  CHECK(reached_twice.size() == semel::crash_point_names.size());
}

TEST_CASE("a crash at any numbered point leaves a batch that is one transaction whole") {
  if (!kafka_available()) return;
  for (const std::string unit : {"batch", "auto"}) {
    CAPTURE(unit);
    Rig rig(3);
    rig.configure("[batch]\nmax_records_per_partition = 10\ncommit = \"" + unit + "\"\n");
    for (const auto point : semel::crash_point_names) {
      CAPTURE(point);
      rig.produce(60);
      CHECK((crash(rig, point) || point == entered));
    }
    rig.drain();
    rig.expect_exactly_once();
    if (unit != "batch") continue;
    CHECK(rig.number(
              "SELECT count(*) FROM (SELECT batch_time FROM semel_commits WHERE kind = "
              "'commit' GROUP BY batch_time HAVING count(DISTINCT xmin::text) > 1) AS parts") == 0);
    CHECK(rig.number("SELECT max(ranges) FROM (SELECT count(*) AS ranges FROM semel_commits WHERE "
                     "kind = 'commit' GROUP BY batch_time) AS batches") == 3);
  }
}

TEST_CASE("the setting may change between a crash and the next start") {
  if (!kafka_available()) return;
  Rig rig(3);
  for (const std::string unit : {"range", "batch", "auto", "batch", "range"}) {
    rig.configure("[batch]\nmax_records_per_partition = 10\ncommit = \"" + unit + "\"\n");
    rig.produce(60);
    CHECK(crash(rig, "committed"));
  }
  rig.drain();
  rig.expect_exactly_once();
}

TEST_CASE("a crash at a point that is passed often may come at any pass") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure("[batch]\nmax_records_per_partition = 10\n");
  for (const auto* point : {"persisted_plan:3", "wrote_rows:5", "sent_final_message:4",
                            "committed:6", "forgot_plan:2"}) {
    rig.produce(200);
    CHECK(crash(rig, point));
  }
  rig.drain();
  rig.expect_exactly_once();
}
