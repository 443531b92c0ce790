#include "state/behind.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace semel::state {

namespace {

/// The order in which moves of one output are made: each take-over, and each set() of an operator,
/// raises the epoch.
using Moment = std::pair<std::int64_t, BatchTime>;

Moment moment_of(const Move& move) {
  return {move.epoch, move.batch_time};
}

}  // namespace

std::optional<std::vector<Progress>> positions_behind(const Version& version,
                                                      std::span<const Move> moves,
                                                      std::span<const Progress> now) {
  std::optional<Moment> wanted;
  for (const auto& move : moves) {
    if (!is_batches(move.tp) || move.kind == MoveKind::start) continue;
    if (move.batch_time != version.time) continue;
    wanted = wanted ? std::max(*wanted, moment_of(move)) : moment_of(move);
  }
  if (!wanted) return std::nullopt;

  std::map<TopicPartition, const Move*> last_before;
  std::map<TopicPartition, const Move*> first_after;
  for (const auto& move : moves) {
    if (is_batches(move.tp)) continue;
    const bool before = moment_of(move) <= *wanted;
    auto& kept = before ? last_before[move.tp] : first_after[move.tp];
    const bool nearer = kept == nullptr || (before ? moment_of(move) >= moment_of(*kept)
                                                   : moment_of(move) < moment_of(*kept));
    if (nearer) kept = &move;
  }
  std::map<TopicPartition, Offset> at;
  for (const auto& one : now) {
    // What has no move that is kept has not moved since.
    if (!is_batches(one.tp)) at[one.tp] = one.until;
  }
  for (const auto& [tp, move] : first_after) at[tp] = move->from;
  for (const auto& [tp, move] : last_before) at[tp] = move->until;
  std::vector<Progress> positions;
  for (const auto& [tp, until] : at) positions.push_back({.tp = tp, .until = until});
  return positions;
}

std::optional<std::vector<Progress>> positions_before(const Prepared& change,
                                                      std::span<const Progress> now) {
  std::vector<Progress> positions;
  for (const auto& one : now) {
    if (is_batches(one.tp)) continue;
    const auto moved = std::ranges::find(change.ranges, one.tp, &OffsetRange::tp);
    if (moved != change.ranges.end() && moved->until != one.until) return std::nullopt;
    positions.push_back(
        {.tp = one.tp, .until = moved == change.ranges.end() ? one.until : moved->from});
  }
  return positions;
}

}  // namespace semel::state
