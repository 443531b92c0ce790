#include "core/chain.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <optional>

namespace semel::core {

namespace {

std::string describe(const Move& move) {
  return fmt::format("the move of batch {} (epoch {}, {})", move.batch_time.ms, move.epoch,
                     to_string(OffsetRange{move.source, move.from, move.until}));
}

class ChainCheck {
 public:
  explicit ChainCheck(const TopicPartition& source) { chain_.source = source; }

  void add(const Move& move) {
    if (!at_) chain_.from = move.from;
    check_link(move);
    check_move(move);
    at_ = chain_.until = move.until;
    last_ = move.kind;
    chain_.rows += move.rows;
    chain_.dead_letters += move.dead_letters;
    chain_.left_out += move.ignored.value_or(0) + move.suppressed.value_or(0);
    if (move.kind == MoveKind::commit && move.suppressed) {
      const auto offsets = static_cast<std::uint64_t>(std::max<Offset>(move.until - move.from, 0));
      chain_.no_record += offsets - std::min(offsets, move.records());
    }
    if (move.kind == MoveKind::commit) {
      ++chain_.commits;
    } else {
      chain_.jumps.push_back(move);
    }
  }

  Chain finish(const std::optional<Offset>& progress) {
    if (!at_) {
      chain_.from = chain_.until = *progress;
      break_with(fmt::format(
          "the ledger stands at {}, but the audit trail has no move that led there", *progress));
    } else if (!progress) {
      // Forgotten by `semel offsets reset`, which leaves a jump as the last move.
      if (last_ != MoveKind::set) {
        break_with(fmt::format("the audit trail ends at {}, but the ledger has no progress", *at_));
      }
    } else if (*progress != *at_) {
      break_with(
          fmt::format("the audit trail ends at {}, but the ledger stands at {}", *at_, *progress));
    }
    return std::move(chain_);
  }

 private:
  void break_with(std::string what) { chain_.broken.push_back(std::move(what)); }

  /// Only a start may begin anywhere: whatever was there before it was forgotten by a reset.
  void check_link(const Move& move) {
    if (!at_ || move.from == *at_) return;
    if (move.kind == MoveKind::start) {
      if (last_ == MoveKind::set) return;
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
    const auto settled = move.records();
    if (move.kind == MoveKind::commit) {
      if (move.until <= move.from) {
        break_with(fmt::format("{} commits an empty range", describe(move)));
      } else if (settled > static_cast<std::uint64_t>(move.until - move.from)) {
        break_with(fmt::format("{} holds {} records, more than it has offsets",
                               describe(move), settled));
      }
      return;
    }
    if (move.kind == MoveKind::start && move.from != move.until) {
      break_with(fmt::format("{} enters the partition, but moves", describe(move)));
    }
    if (settled != 0) {
      break_with(fmt::format("{} holds rows, but is not a commit", describe(move)));
    }
  }

  Chain chain_;
  std::optional<Offset> at_;
  MoveKind last_ = MoveKind::start;
};

}  // namespace

std::vector<Chain> check_chains(std::span<const Move> moves, std::span<const Progress> progress) {
  std::map<TopicPartition, std::vector<const Move*>> moves_of;
  std::map<TopicPartition, std::optional<Offset>> progress_of;
  for (const auto& move : moves) {
    moves_of[move.source].push_back(&move);
    progress_of.try_emplace(move.source);
  }
  for (const auto& entry : progress) progress_of[entry.source] = entry.until;

  std::vector<Chain> chains;
  for (const auto& [source, until] : progress_of) {
    ChainCheck check(source);
    for (const auto* move : moves_of[source]) check.add(*move);
    chains.push_back(check.finish(until));
  }
  return chains;
}

Reading settled(std::span<const Move> moves, std::span<const Progress> before,
                std::span<const Progress> after) {
  std::map<TopicPartition, const Progress*> then;
  std::map<TopicPartition, const Progress*> now;
  for (const auto& progress : before) then[progress.source] = &progress;
  for (const auto& progress : after) now[progress.source] = &progress;

  // How many of a partition's moves had happened when `before` was read.
  std::map<TopicPartition, std::size_t> counts;
  std::map<TopicPartition, std::size_t> happened;
  for (const auto& move : moves) {
    const auto count = ++counts[move.source];
    const auto stood = then.find(move.source);
    if (stood != then.end() && move.until == stood->second->until &&
        move.batch_time == stood->second->batch_time) {
      happened[move.source] = count;
    }
  }
  Reading reading{.moves = {}, .progress = {before.begin(), before.end()}};
  std::map<TopicPartition, std::size_t> taken;
  for (const auto& move : moves) {
    const auto stood = then.find(move.source);
    const auto stands = now.find(move.source);
    const bool entered_since = stood == then.end() && stands != now.end();
    const bool moved_since = stood != then.end() &&
                             (stands == now.end() || *stands->second != *stood->second) &&
                             happened.contains(move.source);
    if (entered_since || (moved_since && taken[move.source]++ >= happened[move.source])) continue;
    reading.moves.push_back(move);
  }
  return reading;
}

bool proven(std::span<const Chain> chains) {
  return std::all_of(chains.begin(), chains.end(),
                     [](const Chain& chain) { return chain.broken.empty(); });
}

}  // namespace semel::core
