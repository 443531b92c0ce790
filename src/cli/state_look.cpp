#include "cli/state_look.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <span>
#include <string_view>

#include "base/crash_point.hpp"
#include "base/wall_clock.hpp"
#include "state/directory.hpp"

namespace semel::cli {

Result<OutputLedger> read_ledger(const app::Output& output) {
  OutputLedger read{.output = output, .ledger = nullptr, .owner = std::nullopt, .progress = {}};
  auto ledger = output.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  read.ledger = *std::move(ledger);
  auto owner = read.ledger->owner();
  if (!owner) return tl::unexpected(owner.error());
  read.owner = *std::move(owner);
  auto progress = read.ledger->progress();
  if (!progress) return tl::unexpected(progress.error());
  read.progress = *std::move(progress);
  return read;
}

Result<std::vector<OutputLedger>> read_ledgers(const app::PipelineConfig& config) {
  std::vector<OutputLedger> all;
  for (const auto& output : app::outputs_of(config)) {
    auto read = read_ledger(output);
    if (!read) return tl::unexpected(read.error());
    all.push_back(*std::move(read));
  }
  return all;
}

std::vector<state::OutputVersion> versions_of(const std::vector<OutputLedger>& outputs) {
  std::vector<state::OutputVersion> known;
  std::vector<state::OutputVersion> all;
  for (const auto& one : outputs) {
    all.push_back({one.output.name(), one.version()});
    if (!one.progress.empty()) known.push_back(all.back());
  }
  return known.empty() ? all : known;
}

bool at_one_version(const std::vector<state::OutputVersion>& versions) {
  return std::ranges::all_of(
      versions, [&](const auto& one) { return one.version == versions.front().version; });
}

Result<std::unique_ptr<state::Store>> open_existing(const std::string& directory) {
  const auto there = state::has_state(directory);
  if (!there) return tl::unexpected(there.error());
  if (!*there) return std::unique_ptr<state::Store>();
  return state::Store::open(directory);
}

Result<std::vector<Move>> moves_of(const OutputLedger& output) {
  std::vector<Move> moves;
  const auto read = output.ledger->history(
      [&](std::span<const Move> piece) { moves.insert(moves.end(), piece.begin(), piece.end()); });
  if (!read) return tl::unexpected(read.error());
  return moves;
}

Result<std::string> put_empty_in_place(const std::string& directory, const state::Version& version,
                                       const char* place) {
  const auto made = state::beside(directory, "made", wall_clock_ms());
  {
    const auto store = state::Store::open(made);
    if (!store) return tl::unexpected(store.error());
    if (auto begun = (*store)->begin_empty(version); !begun) return tl::unexpected(begun.error());
  }
  const auto aside = state::beside(directory, "before", wall_clock_ms());
  crash_point(place);
  if (auto placed = state::put_in_place(made, directory, aside); !placed) {
    return tl::unexpected(placed.error());
  }
  return aside;
}

std::string what_a_start_does(const state::Stored& stored,
                              const std::vector<state::OutputVersion>& versions,
                              const std::string& directory) {
  const auto decision = state::decide(stored, versions);
  switch (decision.remedy) {
    case state::Remedy::drop:
      return stored.prepared ? "a start forgets what is prepared, and computes that batch again"
                             : "a start goes on from here";
    case state::Remedy::apply:
      return "a start applies what is prepared, and goes on: all outputs have it";
    case state::Remedy::roll_forward:
      return "a start computes what is prepared again, for the outputs that lack it";
    case state::Remedy::take_back:
      return "a start takes the state back by one batch: a ledger went back";
    case state::Remedy::refuse:
      break;
  }
  return "a start ends: " + state::refused(decision, directory).value().message;
}

std::string as_arguments(const std::vector<Progress>& positions) {
  std::string text;
  for (const auto& one : positions) {
    if (is_batches(one.tp)) continue;
    text += fmt::format("{}{}:{}={}", text.empty() ? "" : " ", one.tp.topic, one.tp.partition,
                        one.until);
  }
  return text;
}

std::string typed(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%,~";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace semel::cli
