// The chain that `semel verify` proves.
#include "core/history.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace semel;

namespace {

std::vector<core::History> check_histories(const std::vector<Move>& moves,
                                           const std::vector<Progress>& progress) {
  core::HistoryCheck check;
  for (const auto& move : moves) check.add(move);
  return check.finish(progress);
}

const TopicPartition clicks{"clicks", 0};

Move move(std::int64_t time, Offset from, Offset until, MoveKind kind = MoveKind::commit) {
  Move move{.tp = clicks, .batch_time = {time}, .epoch = 1, .from = from, .until = until};
  move.kind = kind;
  if (kind == MoveKind::commit && until > from)
    move.rows = static_cast<std::uint64_t>(until - from);
  return move;
}

std::vector<Progress> progress_at(Offset until) {
  return {{.tp = clicks, .until = until}};
}

/// What is wrong with the one chain that these make.
std::vector<std::string> broken(const std::vector<Move>& moves,
                                const std::vector<Progress>& progress) {
  const auto histories = check_histories(moves, progress);
  REQUIRE(histories.size() == 1);
  CHECK(core::proven(histories) == histories[0].broken.empty());
  return histories[0].broken;
}

}  // namespace

TEST_CASE("ranges that join up are a chain") {
  const auto histories = check_histories(
      std::vector{move(1, 5, 5, MoveKind::start), move(2, 5, 9), move(3, 9, 20)}, progress_at(20));
  REQUIRE(histories.size() == 1);
  CHECK(core::proven(histories));
  CHECK(histories[0].from == 5);
  CHECK(histories[0].until == 20);
  CHECK(histories[0].commits == 2);
  CHECK(histories[0].rows == 15);
  CHECK(histories[0].jumps.size() == 1);
}

TEST_CASE("a history that was trimmed begins anywhere") {
  CHECK(broken({move(7, 100, 110)}, progress_at(110)).empty());
}

TEST_CASE("a gap is found and named") {
  const auto found = broken({move(1, 0, 10), move(2, 12, 20)}, progress_at(20));
  REQUIRE(found.size() == 1);
  CHECK(
      found[0] ==
      "gap: offsets [10, 12) are missing before the move of batch 2 (epoch 1, clicks[0] [12, 20))");
}

TEST_CASE("an overlap is found and named") {
  const auto found = broken({move(1, 0, 10), move(2, 8, 20)}, progress_at(20));
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("overlap: offsets [8, 10) were done before the move of batch 2"));
  CHECK(broken({move(1, 0, 10), move(2, 0, 10)}, progress_at(10)).size() == 1);
}

TEST_CASE("the history must end where the ledger stands") {
  CHECK(broken({move(1, 0, 10)}, progress_at(11)) ==
        std::vector<std::string>{"the history ends at 10, but the ledger stands at 11"});
  CHECK(broken({move(1, 0, 10)}, {}).size() == 1);
  CHECK(broken({}, progress_at(3)).size() == 1);
}

TEST_CASE("a loss and an operator's jump are links, and are listed") {
  const auto histories =
      check_histories(std::vector{move(1, 0, 10), move(2, 10, 50, MoveKind::lost), move(3, 50, 60),
                                  move(4, 60, 5, MoveKind::set), move(5, 5, 60),
                                  move(6, 60, 0, MoveKind::lost), move(7, 0, 2)},
                      progress_at(2));
  CHECK(core::proven(histories));
  REQUIRE(histories[0].jumps.size() == 3);
  CHECK(histories[0].jumps[1].kind == MoveKind::set);
}

TEST_CASE("a jump must begin where the chain stands") {
  CHECK(broken({move(1, 0, 10), move(2, 9, 0, MoveKind::set)}, progress_at(0)).size() == 1);
  CHECK(broken({move(1, 0, 10), move(2, 12, 15, MoveKind::lost)}, progress_at(15)).size() == 1);
}

TEST_CASE("a partition may start anew only after a reset") {
  CHECK(broken({move(1, 0, 10), move(2, 10, 10, MoveKind::set), move(3, 4, 4, MoveKind::start),
                move(4, 4, 8)},
               progress_at(8))
            .empty());
  CHECK(broken({move(1, 0, 10), move(2, 10, 10, MoveKind::set)}, {}).empty());
  CHECK(broken({move(1, 0, 10), move(3, 4, 4, MoveKind::start)}, progress_at(4)).size() == 1);
  // An operator who sets a position forgets none.
  CHECK(broken({move(1, 0, 10), move(2, 10, 12, MoveKind::set)}, {}).size() == 1);
  CHECK(broken({move(1, 0, 10), move(2, 10, 12, MoveKind::set), move(3, 4, 4, MoveKind::start)},
               progress_at(4))
            .size() == 1);
}

TEST_CASE("moves that cannot be are found") {
  CHECK(broken({move(1, 5, 5)}, progress_at(5)).size() == 1);
  CHECK(broken({move(1, 5, 6, MoveKind::start)}, progress_at(6)).size() == 1);
  auto doubled = move(1, 0, 10);
  doubled.dead_letters = 1;
  CHECK(broken({doubled}, progress_at(10)).size() == 1);
  auto loss_with_rows = move(1, 0, 10, MoveKind::lost);
  loss_with_rows.rows = 1;
  CHECK(broken({loss_with_rows}, progress_at(10)).size() == 1);
}

TEST_CASE("one broken partition leaves the others proven") {
  auto other = move(1, 0, 10);
  other.tp = {"clicks", 1};
  const auto histories = check_histories(
      std::vector{move(1, 0, 10), move(2, 11, 12), other},
      std::vector<Progress>{{.tp = clicks, .until = 12}, {.tp = {"clicks", 1}, .until = 10}});
  REQUIRE(histories.size() == 2);
  CHECK_FALSE(histories[0].broken.empty());
  CHECK(histories[1].broken.empty());
  CHECK_FALSE(core::proven(histories));
}

TEST_CASE("nothing is proven of nothing, and nothing is broken") {
  CHECK(check_histories({}, {}).empty());
}

TEST_CASE("the moves of partitions may come in turns") {
  std::vector<Move> moves;
  for (Offset at = 0; at < 30; at += 10) {
    for (const std::int32_t partition : {1, 0}) {
      moves.push_back(move(at + 1, at, at + 10));
      moves.back().tp.partition = partition;
    }
  }
  const auto histories =
      check_histories(moves, {{.tp = clicks, .until = 30}, {.tp = {"clicks", 1}, .until = 30}});
  REQUIRE(histories.size() == 2);
  CHECK(core::proven(histories));
  CHECK(histories[0].tp == clicks);
  CHECK(histories[1].commits == 3);
}

TEST_CASE("of very many findings the first are told, and how many more there are") {
  core::HistoryCheck check;
  for (std::int64_t i = 0; i < 5'000; ++i) check.add(move(i, 0, 10));
  const auto histories = check.finish(progress_at(10));
  REQUIRE(histories[0].broken.size() == 1'001);
  CHECK(histories[0].broken.front().starts_with("overlap: offsets [0, 10)"));
  CHECK(histories[0].broken.back() == "and 3999 more");
}

TEST_CASE("positions of ~batches are no offsets without a record, and its chain is proven") {
  const TopicPartition clock{"~batches", 0};
  auto first = move(1'000, 0, 1'000 << 20);
  auto second = move(1'250, 1'000 << 20, 1'250 << 20);
  for (auto* one : {&first, &second}) {
    one->tp = clock;
    one->rows = 1;
    one->suppressed = 0;
  }
  auto histories = check_histories({first, second}, {{.tp = clock, .until = 1'250 << 20}});
  REQUIRE(histories.size() == 1);
  CHECK(histories[0].no_record == 0);
  CHECK(histories[0].broken.empty());
  histories = check_histories({second}, {{.tp = clock, .until = 1'000 << 20}});
  CHECK_FALSE(histories[0].broken.empty());
}
