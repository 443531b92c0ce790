// That verify() sees what is wrong: each invariant broken by hand.
#include "unit/core/driver_by_hand.hpp"

using namespace semel;
using namespace semel::core;
using namespace semel::core::test;

namespace {

/// Two partitions with a range that runs and one behind it.
Driver busy() {
  Driver driver({.limits = {.max_records_per_partition = 10}, .commit = CommitUnit::automatic});
  driver.take_over({at(p0, 0), at(p1, 0)});
  driver.offsets({{p0, 30}, {p1, 30}});
  return driver;
}

bool says(const DriverState& state, const std::string& what) {
  const auto wrong = verify(state);
  INFO(wrong.value_or("nothing"));
  return wrong && wrong->find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a state that the driver made is right") {
  auto driver = busy();
  CHECK_FALSE(verify(driver.state));
  driver.committed(driver.take<StartTasks>().at(0).tasks);
  CHECK_FALSE(verify(driver.state));
}

TEST_CASE("a chain that is not whole is seen (P1)") {
  auto driver = busy();
  auto& partition = driver.state.partitions.at(p0);
  SECTION("a gap") {
    partition.queue.back().planned.range.from += 1;
    CHECK(says(driver.state, "is planned where 10 is due"));
  }
  SECTION("a position that it does not reach") {
    partition.position += 1;
    CHECK(says(driver.state, "its position is 21"));
  }
  SECTION("a range of another partition") {
    partition.queue.front().planned.range.tp = p1;
    CHECK(says(driver.state, "is queued elsewhere"));
  }
  SECTION("a batch before the one before it") {
    partition.queue.back().time = partition.queue.front().time;
    CHECK(says(driver.state, "after one of batch"));
  }
}

TEST_CASE("a range under way behind another is seen (P6)") {
  auto driver = busy();
  driver.state.partitions.at(p1).queue.back().stage = Stage::running;
  CHECK(says(driver.state, "P6"));
}

TEST_CASE("a batch that counts wrongly is seen") {
  auto driver = busy();
  SECTION("too many") {
    ++driver.state.batches.begin()->second.open;
    CHECK(says(driver.state, "counts 3 ranges where 2 are open"));
  }
  SECTION("one that is over") {
    driver.state.batches.erase(driver.state.batches.begin());
    CHECK(says(driver.state, "of a batch that is over"));
  }
}

TEST_CASE("a group that is not what it should be is seen") {
  auto driver = busy();
  auto& groups = driver.state.groups;
  REQUIRE(groups.size() == 1);
  SECTION("a member that has left") {
    driver.state.partitions.at(p1).queue.front().stage = Stage::planned;
    CHECK(says(driver.state, "has left"));
  }
  SECTION("a task in none") {
    groups.begin()->second.pop_back();
    CHECK(says(driver.state, "under way in no group"));
  }
  SECTION("a task in two") {
    groups[{driver.state.partitions.at(p1).queue.front().time, p1}] = {p1};
    CHECK(says(driver.state, "in two groups"));
  }
  SECTION("one that shares where nothing is shared") {
    driver.state.options.commit = CommitUnit::range;
    CHECK(says(driver.state, "shares its transaction"));
  }
}

TEST_CASE("a batch that does not count, or counts wrongly, is seen") {
  const TopicPartition clock{"~batches", 0};
  Driver driver({.commit = CommitUnit::batch, .clock = BatchClock::with_records});
  driver.take_over({at(p0, 0), at(clock, 0)});
  driver.offsets({{p0, 30}});
  REQUIRE_FALSE(verify(driver.state));
  auto& state = driver.state;
  SECTION("fewer positions than a batch has") {
    auto& partition = state.partitions.at(clock);
    partition.position = ++partition.queue.back().planned.range.until;
    CHECK(says(state, "is no batch's"));
  }
  SECTION("a batch without it") {
    state.partitions.at(clock).queue.clear();
    state.partitions.at(clock).position = 0;
    state.groups.begin()->second.pop_back();
    --state.batches.begin()->second.open;
    CHECK(says(state, "does not move ~batches"));
  }
  SECTION("an answer of Kafka about it") {
    state.partitions.at(clock).latest = 5;
    CHECK(says(state, "taken for a partition of Kafka"));
  }
  SECTION("batches that are not one fact") {
    state.options.commit = CommitUnit::automatic;
    CHECK(says(state, "not one fact"));
  }
  SECTION("nothing to count for") {
    state.options.clock = BatchClock::none;
    CHECK(says(state, "nothing is to be counted"));
  }
}
