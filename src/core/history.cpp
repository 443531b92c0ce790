#include "core/history.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <optional>

namespace semel::core {

namespace {

std::string describe(const Move& move) {
  return fmt::format("the move of batch {} (epoch {}, {})", move.batch_time.ms, move.epoch,
                     to_string(OffsetRange{move.tp, move.from, move.until}));
}

constexpr std::size_t told_max = 1'000;

}  // namespace

/// One partition's.
class HistoryCheck::PartitionCheck {
 public:
  explicit PartitionCheck(const TopicPartition& tp) { history_.tp = tp; }

  void add(const Move& move) {
    if (!at_) history_.from = move.from;
    check_joint(move);
    check_move(move);
    at_ = history_.until = move.until;
    // A reset is a jump to where the partition stood.
    forgotten_ = move.kind == MoveKind::set && move.from == move.until;
    history_.rows += move.rows;
    history_.dead_letters += move.dead_letters;
    history_.left_out += move.ignored.value_or(0) + move.suppressed.value_or(0);
    if (move.kind == MoveKind::commit && move.suppressed && !is_batches(move.tp)) {
      const auto offsets = static_cast<std::uint64_t>(std::max<Offset>(move.until - move.from, 0));
      history_.no_record += offsets - std::min(offsets, move.records());
    }
    if (move.kind == MoveKind::commit) {
      ++history_.commits;
    } else {
      history_.jumps.push_back(move);
    }
  }

  History finish(const std::optional<Offset>& progress) {
    if (!at_) {
      history_.from = history_.until = *progress;
      break_with(fmt::format("the ledger stands at {}, but the history has no move that led there",
                             *progress));
    } else if (!progress) {
      // Forgotten by `semel offsets reset`, which leaves a jump as the last move.
      if (!forgotten_) {
        break_with(fmt::format("the history ends at {}, but the ledger has no progress", *at_));
      }
    } else if (*progress != *at_) {
      break_with(
          fmt::format("the history ends at {}, but the ledger stands at {}", *at_, *progress));
    }
    if (untold_ > 0) history_.broken.push_back(fmt::format("and {} more", untold_));
    return std::move(history_);
  }

 private:
  void break_with(std::string what) {
    if (history_.broken.size() < told_max) {
      history_.broken.push_back(std::move(what));
    } else {
      ++untold_;
    }
  }

  /// Only a start may begin anywhere: whatever was there before it was forgotten by a reset.
  void check_joint(const Move& move) {
    if (!at_ || move.from == *at_) return;
    if (move.kind == MoveKind::start) {
      if (forgotten_) return;
      break_with(fmt::format("{} starts anew, but nothing forgot the position {} before it",
                             describe(move), *at_));
    } else if (move.from > *at_) {
      break_with(fmt::format("gap: offsets [{}, {}) are missing before {}", *at_, move.from,
                             describe(move)));
    } else {
      break_with(fmt::format("overlap: offsets [{}, {}) were done before {}", move.from, *at_,
                             describe(move)));
    }
  }

  void check_move(const Move& move) {
    const auto counted = move.records();
    if (move.kind == MoveKind::commit) {
      if (move.until <= move.from) {
        break_with(fmt::format("{} commits an empty range", describe(move)));
      } else if (counted > static_cast<std::uint64_t>(move.until - move.from)) {
        break_with(
            fmt::format("{} holds {} records, more than it has offsets", describe(move), counted));
      }
      return;
    }
    if (move.kind == MoveKind::start && move.from != move.until) {
      break_with(fmt::format("{} enters the partition, but moves", describe(move)));
    }
    if (counted != 0) {
      break_with(fmt::format("{} holds rows, but is not a commit", describe(move)));
    }
  }

  History history_;
  std::optional<Offset> at_;
  bool forgotten_ = false;  ///< by the last move
  std::uint64_t untold_ = 0;
};

HistoryCheck::HistoryCheck() = default;
HistoryCheck::~HistoryCheck() = default;

void HistoryCheck::add(const Move& move) {
  auto& check = partitions_[move.tp];
  if (!check) check = std::make_unique<PartitionCheck>(move.tp);
  check->add(move);
}

std::vector<History> HistoryCheck::finish(std::span<const Progress> progress) {
  std::map<TopicPartition, Offset> stands;
  for (const auto& one : progress) {
    stands[one.tp] = one.until;
    auto& check = partitions_[one.tp];
    if (!check) check = std::make_unique<PartitionCheck>(one.tp);
  }
  std::vector<History> histories;
  for (auto& [tp, check] : partitions_) {
    const auto found = stands.find(tp);
    histories.push_back(
        check->finish(found == stands.end() ? std::nullopt : std::optional(found->second)));
  }
  return histories;
}

bool proven(std::span<const History> histories) {
  return std::all_of(histories.begin(), histories.end(),
                     [](const History& history) { return history.broken.empty(); });
}

}  // namespace semel::core
