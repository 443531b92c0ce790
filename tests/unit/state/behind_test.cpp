#include "state/behind.hpp"

#include <map>

#include "support/catch.hpp"

namespace semel::test {

using namespace state;

namespace {

using Places = std::map<std::pair<std::string, int>, Offset>;

Places places_of(const std::optional<std::vector<Progress>>& progress) {
  Places places;
  REQUIRE(progress);
  for (const auto& one : *progress) places[{one.tp.topic, one.tp.partition}] = one.until;
  return places;
}

Move moved(const std::string& topic, int partition, std::int64_t time, std::int64_t epoch,
           Offset from, Offset until, MoveKind kind = MoveKind::commit) {
  return {.tp = {topic, partition},
          .batch_time = {time},
          .epoch = epoch,
          .from = from,
          .until = until,
          .kind = kind};
}

Move counted(std::int64_t time, std::int64_t epoch, MoveKind kind = MoveKind::commit) {
  return moved("~batches", 0, time, epoch, 0, time << 20, kind);
}

Progress at(const std::string& topic, int partition, Offset until) {
  return {.tp = {topic, partition}, .until = until, .last = std::nullopt};
}

/// Batches 10, 20 and 30 of two owners; the second partition has nothing in the second batch.
const std::vector<Move> three_batches{moved("a", 0, 0, 1, 5, 5, MoveKind::start),
                                      moved("a", 1, 0, 1, 0, 0, MoveKind::start),
                                      counted(10, 1),
                                      moved("a", 0, 10, 1, 5, 8),
                                      moved("a", 1, 10, 1, 0, 3),
                                      counted(20, 1),
                                      moved("a", 0, 20, 1, 8, 9),
                                      counted(30, 2),
                                      moved("a", 0, 30, 2, 9, 12),
                                      moved("a", 1, 30, 2, 3, 4)};
const std::vector<Progress> stand{at("a", 0, 12), at("a", 1, 4), at("~batches", 0, 30 << 20)};

}  // namespace

TEST_CASE("the history says where partitions stood behind a batch") {
  CHECK(places_of(positions_behind({{10}, 1}, three_batches, stand)) ==
        Places{{{"a", 0}, 8}, {{"a", 1}, 3}});
  CHECK(places_of(positions_behind({{20}, 1}, three_batches, stand)) ==
        Places{{{"a", 0}, 9}, {{"a", 1}, 3}});
  CHECK(places_of(positions_behind({{30}, 1}, three_batches, stand)) ==
        Places{{{"a", 0}, 12}, {{"a", 1}, 4}});
}

TEST_CASE("a batch that the history has not kept has no positions") {
  CHECK_FALSE(positions_behind({{15}, 1}, three_batches, stand));
  CHECK_FALSE(positions_behind({}, three_batches, stand));
  CHECK_FALSE(positions_behind({{10}, 1}, {}, stand));
}

TEST_CASE("where the older moves of a partition are gone, the next one says where it stood") {
  const std::vector<Move> kept{counted(20, 1), counted(30, 2), moved("a", 0, 30, 2, 9, 12),
                               moved("b", 0, 30, 2, 7, 7, MoveKind::start)};
  CHECK(places_of(positions_behind({{20}, 1}, kept, stand)) ==
        Places{{{"a", 0}, 9}, {{"a", 1}, 4}, {{"b", 0}, 7}});
}

TEST_CASE("what an operator set after a batch is not of it, whatever its batch time says") {
  auto moves = three_batches;
  // A jump has the time of the partition's last batch, and a new epoch.
  moves.push_back(moved("a", 0, 30, 3, 12, 2, MoveKind::set));
  CHECK(places_of(positions_behind({{30}, 1}, moves, stand)) ==
        Places{{{"a", 0}, 12}, {{"a", 1}, 4}});
  // A version of an operator's own has its positions.
  moves.push_back(counted(40, 4, MoveKind::set));
  moves.push_back(moved("a", 1, 40, 4, 4, 1, MoveKind::set));
  CHECK(places_of(positions_behind({{40}, 1}, moves, stand)) ==
        Places{{{"a", 0}, 2}, {{"a", 1}, 1}});
}

TEST_CASE("before a change stood what its ranges begin with, as long as nobody has moved since") {
  const Prepared change{.version = {{30}, 3},
                        .parent = {{20}, 2},
                        .ranges = {{{"a", 0}, 9, 12}, {{"~batches", 0}, 20 << 20, 30 << 20}},
                        .checksum = 1};
  CHECK(places_of(positions_before(change, stand)) == Places{{{"a", 0}, 9}, {{"a", 1}, 4}});
  const std::vector<Progress> elsewhere{at("a", 0, 11), at("a", 1, 4)};
  CHECK_FALSE(positions_before(change, elsewhere));
}

}  // namespace semel::test
