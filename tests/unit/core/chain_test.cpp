// The chain that `semel verify` proves.
#include "core/chain.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace semel;
using core::check_chains;

namespace {

const TopicPartition clicks{"clicks", 0};

Move move(std::int64_t time, Offset from, Offset until, MoveKind kind = MoveKind::commit) {
  Move move{.source = clicks, .batch_time = {time}, .epoch = 1, .from = from, .until = until};
  move.kind = kind;
  if (kind == MoveKind::commit && until > from)
    move.rows = static_cast<std::uint64_t>(until - from);
  return move;
}

std::vector<Progress> at(Offset until) {
  return {{.source = clicks, .until = until}};
}

/// What is wrong with the one chain that these make.
std::vector<std::string> broken(const std::vector<Move>& moves,
                                const std::vector<Progress>& progress) {
  const auto chains = check_chains(moves, progress);
  REQUIRE(chains.size() == 1);
  CHECK(core::proven(chains) == chains[0].broken.empty());
  return chains[0].broken;
}

}  // namespace

TEST_CASE("ranges that join up are a chain") {
  const auto chains = check_chains(
      std::vector{move(1, 5, 5, MoveKind::start), move(2, 5, 9), move(3, 9, 20)}, at(20));
  REQUIRE(chains.size() == 1);
  CHECK(core::proven(chains));
  CHECK(chains[0].from == 5);
  CHECK(chains[0].until == 20);
  CHECK(chains[0].commits == 2);
  CHECK(chains[0].rows == 15);
  CHECK(chains[0].jumps.size() == 1);
}

TEST_CASE("a trail that was trimmed begins anywhere") {
  CHECK(broken({move(7, 100, 110)}, at(110)).empty());
}

TEST_CASE("a gap is found and named") {
  const auto found = broken({move(1, 0, 10), move(2, 12, 20)}, at(20));
  REQUIRE(found.size() == 1);
  CHECK(
      found[0] ==
      "gap: offsets [10, 12) are missing before the move of batch 2 (epoch 1, clicks[0] [12, 20))");
}

TEST_CASE("an overlap is found and named") {
  const auto found = broken({move(1, 0, 10), move(2, 8, 20)}, at(20));
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("overlap: offsets [8, 10) were done before the move of batch 2"));
  CHECK(broken({move(1, 0, 10), move(2, 0, 10)}, at(10)).size() == 1);
}

TEST_CASE("the trail must end where the ledger stands") {
  CHECK(broken({move(1, 0, 10)}, at(11)) ==
        std::vector<std::string>{"the audit trail ends at 10, but the ledger stands at 11"});
  CHECK(broken({move(1, 0, 10)}, {}).size() == 1);
  CHECK(broken({}, at(3)).size() == 1);
}

TEST_CASE("a loss and an operator's jump are links, and are listed") {
  const auto chains =
      check_chains(std::vector{move(1, 0, 10), move(2, 10, 50, MoveKind::lost), move(3, 50, 60),
                               move(4, 60, 5, MoveKind::set), move(5, 5, 60),
                               move(6, 60, 0, MoveKind::lost), move(7, 0, 2)},
                   at(2));
  CHECK(core::proven(chains));
  REQUIRE(chains[0].jumps.size() == 3);
  CHECK(chains[0].jumps[1].kind == MoveKind::set);
}

TEST_CASE("a jump must begin where the chain stands") {
  CHECK(broken({move(1, 0, 10), move(2, 9, 0, MoveKind::set)}, at(0)).size() == 1);
  CHECK(broken({move(1, 0, 10), move(2, 12, 15, MoveKind::lost)}, at(15)).size() == 1);
}

TEST_CASE("a partition may start anew only after a reset") {
  CHECK(broken({move(1, 0, 10), move(2, 10, 10, MoveKind::set), move(3, 4, 4, MoveKind::start),
                move(4, 4, 8)},
               at(8))
            .empty());
  CHECK(broken({move(1, 0, 10), move(2, 10, 10, MoveKind::set)}, {}).empty());
  CHECK(broken({move(1, 0, 10), move(3, 4, 4, MoveKind::start)}, at(4)).size() == 1);
}

TEST_CASE("moves that cannot be are found") {
  CHECK(broken({move(1, 5, 5)}, at(5)).size() == 1);
  CHECK(broken({move(1, 5, 6, MoveKind::start)}, at(6)).size() == 1);
  auto doubled = move(1, 0, 10);
  doubled.dead_letters = 1;
  CHECK(broken({doubled}, at(10)).size() == 1);
  auto loss_with_rows = move(1, 0, 10, MoveKind::lost);
  loss_with_rows.rows = 1;
  CHECK(broken({loss_with_rows}, at(10)).size() == 1);
}

TEST_CASE("one broken partition leaves the others proven") {
  auto other = move(1, 0, 10);
  other.source = {"clicks", 1};
  const auto chains = check_chains(std::vector{move(1, 0, 10), move(2, 11, 12), other},
                                   std::vector<Progress>{{.source = clicks, .until = 12},
                                                         {.source = {"clicks", 1}, .until = 10}});
  REQUIRE(chains.size() == 2);
  CHECK_FALSE(chains[0].broken.empty());
  CHECK(chains[1].broken.empty());
  CHECK_FALSE(core::proven(chains));
}

TEST_CASE("nothing is proven of nothing, and nothing is broken") {
  CHECK(check_chains({}, {}).empty());
}

TEST_CASE("a pipeline that commits while it is looked at does not look broken") {
  const auto stands = [](Offset until, std::int64_t time) {
    return std::vector<Progress>{{.source = clicks, .until = until, .batch_time = {time}}};
  };
  const std::vector moves{move(1, 0, 10), move(2, 10, 20), move(3, 20, 30)};
  // The trail was read when the second and the third range had been committed as well.
  const auto reading = core::settled(moves, stands(10, 1), stands(40, 4));
  CHECK(reading.moves.size() == 1);
  CHECK(core::proven(check_chains(reading.moves, reading.progress)));
  // A partition that was entered in between has moves, but had no progress.
  CHECK(core::settled(moves, {}, stands(30, 3)).moves.empty());
  // A partition that was reset in between.
  CHECK(core::settled(moves, stands(30, 3), {}).moves.size() == 3);
}

TEST_CASE("a partition that rests must agree exactly, however it was looked at") {
  const std::vector moves{move(1, 0, 10), move(2, 10, 20)};
  const std::vector<Progress> behind{{.source = clicks, .until = 10, .batch_time = {1}}};
  const auto reading = core::settled(moves, behind, behind);
  CHECK(reading.moves.size() == 2);
  CHECK_FALSE(core::proven(check_chains(reading.moves, reading.progress)));
  // Nor does one that moves get away with a position that no move led to.
  const std::vector<Progress> nowhere{{.source = clicks, .until = 15, .batch_time = {1}}};
  const std::vector<Progress> later{{.source = clicks, .until = 30, .batch_time = {3}}};
  const auto lost = core::settled(moves, nowhere, later);
  CHECK_FALSE(core::proven(check_chains(lost.moves, lost.progress)));
}

TEST_CASE("a gap is found while the pipeline commits") {
  const std::vector moves{move(1, 0, 10), move(3, 20, 30), move(4, 30, 40)};
  const std::vector<Progress> before{{.source = clicks, .until = 30, .batch_time = {3}}};
  const std::vector<Progress> after{{.source = clicks, .until = 50, .batch_time = {5}}};
  const auto reading = core::settled(moves, before, after);
  CHECK(reading.moves.size() == 2);
  CHECK_FALSE(core::proven(check_chains(reading.moves, reading.progress)));
}
