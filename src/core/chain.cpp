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

constexpr std::size_t told_max = 1'000;

}  // namespace

/// One partition's.
class ChainCheck::Links {
 public:
  explicit Links(const TopicPartition& source) { chain_.source = source; }

  void add(const Move& move) {
    if (!at_) chain_.from = move.from;
    check_link(move);
    check_move(move);
    at_ = chain_.until = move.until;
    // A reset is a jump to where the partition stood.
    forgotten_ = move.kind == MoveKind::set && move.from == move.until;
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
      if (!forgotten_) {
        break_with(fmt::format("the audit trail ends at {}, but the ledger has no progress", *at_));
      }
    } else if (*progress != *at_) {
      break_with(
          fmt::format("the audit trail ends at {}, but the ledger stands at {}", *at_, *progress));
    }
    if (untold_ > 0) chain_.broken.push_back(fmt::format("and {} more", untold_));
    return std::move(chain_);
  }

 private:
  void break_with(std::string what) {
    if (chain_.broken.size() < told_max) {
      chain_.broken.push_back(std::move(what));
    } else {
      ++untold_;
    }
  }

  /// Only a start may begin anywhere: whatever was there before it was forgotten by a reset.
  void check_link(const Move& move) {
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
    const auto settled = move.records();
    if (move.kind == MoveKind::commit) {
      if (move.until <= move.from) {
        break_with(fmt::format("{} commits an empty range", describe(move)));
      } else if (settled > static_cast<std::uint64_t>(move.until - move.from)) {
        break_with(
            fmt::format("{} holds {} records, more than it has offsets", describe(move), settled));
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
  bool forgotten_ = false;  ///< by the last move
  std::uint64_t untold_ = 0;
};

ChainCheck::ChainCheck() = default;
ChainCheck::~ChainCheck() = default;

void ChainCheck::add(const Move& move) {
  auto& links = links_[move.source];
  if (!links) links = std::make_unique<Links>(move.source);
  links->add(move);
}

std::vector<Chain> ChainCheck::finish(std::span<const Progress> progress) {
  std::map<TopicPartition, Offset> stands;
  for (const auto& one : progress) {
    stands[one.source] = one.until;
    auto& links = links_[one.source];
    if (!links) links = std::make_unique<Links>(one.source);
  }
  std::vector<Chain> chains;
  for (auto& [source, links] : links_) {
    const auto found = stands.find(source);
    chains.push_back(
        links->finish(found == stands.end() ? std::nullopt : std::optional(found->second)));
  }
  return chains;
}

bool proven(std::span<const Chain> chains) {
  return std::all_of(chains.begin(), chains.end(),
                     [](const Chain& chain) { return chain.broken.empty(); });
}

}  // namespace semel::core
