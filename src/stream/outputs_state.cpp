// The state that outputs agree with: on this machine, or at its home in one of them.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "base/wall_clock.hpp"
#include "core/batch_clock.hpp"
#include "state/directory.hpp"
#include "stream/batch_state.hpp"
#include "stream/outputs.hpp"

namespace semel::stream {

using state::to_string;

namespace {

/// What is between outputs that are apart is one batch, and not several that were made up as one.
bool is_one_batch(const PendingBatch& pending) {
  return std::ranges::any_of(pending.ranges, [](const auto& range) {
    return is_batches(range.tp) && range.until - range.from == core::positions_per_batch;
  });
}

tl::unexpected<Error> unfit(std::string why) {
  return fail(ErrorKind::fatal, Cause::state, std::move(why));
}

}  // namespace

Result<std::size_t> choose_home(std::span<const NamedSink> sinks, const std::string& wanted) {
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    if (!wanted.empty() && sinks[i].output != wanted) continue;
    if (sinks[i].sink->become_home()) return i;
  }
  constexpr auto who_can =
      "PostgreSQL and SQLite can keep it, and a sink of a program's own that has become_home()";
  const bool there = std::ranges::any_of(sinks, [&](const auto& s) { return s.output == wanted; });
  return fail(
      ErrorKind::fatal, Cause::configuration,
      wanted.empty() ? fmt::format("state = \"sink\", and no output of this pipeline can keep the "
                                   "state: {}. Add such an output, or say state = \"local\"",
                                   who_can)
      : there ? fmt::format("state_home = \"{}\", and that output cannot keep the state: {}. Name "
                            "another one, or say state = \"local\"",
                            wanted, who_can)
              : fmt::format("state_home = \"{}\", and no stream leads to an output of that name",
                            wanted));
}

std::vector<state::OutputVersion> Outputs::versions() const {
  const std::lock_guard lock(mutex_);
  std::vector<state::OutputVersion> all;
  for (const auto& output : outputs_) all.push_back({output.name, output.led.version});
  return all;
}

Result<state::Remedy> Outputs::settle_state() {
  if (shared_.home) return settle_at_home();
  auto& store = *shared_.state;
  const auto versions = this->versions();
  while (true) {
    const auto decision = state::decide(store.stored(), versions);
    switch (decision.remedy) {
      case state::Remedy::drop:
      case state::Remedy::roll_forward:
        return decision.remedy;
      case state::Remedy::apply:
        if (auto applied = store.apply(); !applied) return tl::unexpected(applied.error());
        return state::Remedy::drop;
      case state::Remedy::take_back:
        shared_.log.warn("a ledger went back by one batch; so does the state");
        if (auto taken = store.take_back(); !taken) return tl::unexpected(taken.error());
        break;
      case state::Remedy::refuse:
        return state::refused(decision, store.path());
    }
  }
}

/// What was counted before stays beside it, as `semel state FILE empty` has it.
Result<void> Outputs::begin_empty(const state::Version& version) {
  auto& store = *shared_.state;
  std::string kept;
  if (store.stored().base != state::Version()) {
    kept = state::beside(store.path(), "before", wall_clock_ms());
    if (auto copied = store.checkpoint(kept); !copied) return copied;
  }
  shared_.log.warn("the state begins empty at {}: what was counted before is not in it{}",
                   to_string(version), kept.empty() ? "" : ", but in " + kept);
  return store.begin_empty(version);
}

/// The state and the outputs belong together, or do so now.
Result<void> Outputs::state_fits(const std::optional<PendingBatch>& pending) {
  if (!shared_.state) return {};
  if (shared_.home) return state_at_home_fits(pending);
  auto& store = *shared_.state;
  const auto versions = this->versions();
  const auto first = versions.front().version;
  const bool agree =
      std::ranges::all_of(versions, [&](const auto& output) { return output.version == first; });
  const bool refused = state::decide(store.stored(), versions).remedy == state::Remedy::refuse;
  // Once: what goes back later is another matter.
  if (std::exchange(shared_.empty_state, false) && agree && refused) {
    return begin_empty(first);
  }
  const auto remedy = settle_state();
  if (!remedy) return tl::unexpected(remedy.error());
  if (*remedy != state::Remedy::roll_forward) return {};
  const auto prepared = store.stored().prepared;
  if (pending && pending->time == prepared->version.time && pending->ranges == prepared->ranges) {
    return {};
  }
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format("the outputs are one batch apart, and it is not the one that the state has "
                  "prepared, {}: a ledger was set by hand or restored",
                  to_string(prepared->version)));
}

Led Outputs::ahead_of_home() const {
  const std::lock_guard lock(mutex_);
  const auto& home = outputs_[*shared_.home].led;
  const auto ahead = std::ranges::find_if(
      outputs_, [&](const auto& output) { return output.led.version != home.version; });
  return ahead == outputs_.end() ? home : ahead->led;
}

state::Decision Outputs::at_home() const {
  auto others = versions();
  const auto home = others[*shared_.home];
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(*shared_.home));
  return state::decide_at_home(home, others);
}

Result<void> Outputs::load_from_home(const state::Version& version) {
  auto& home = outputs_[*shared_.home];
  auto& store = *shared_.state;
  bool loads = false;
  std::size_t rows = 0;
  const auto begin = [&](const StateRead& read) -> Result<void> {
    if (std::exchange(loads, true)) return {};
    auto begun = store.begin_load();
    return begun && read.all ? store.forget() : begun;
  };
  const auto before = store.stored().base;
  const auto read = home.sink->read_state(
      before, [&](const StateRead& read, std::span<const StateRow> some) -> Result<void> {
        if (auto begun = begin(read); !begun) return begun;
        rows += some.size();
        return store.load(some);
      });
  if (!read) return tl::unexpected(read.error());
  if (read->version != version) {
    const auto alive = home.sink->keep_alive();
    if (!alive) return tl::unexpected(alive.error());
    if (state::version_in(alive->progress) != version) {
      return fail(follows_ ? ErrorKind::in_doubt : ErrorKind::retriable, Cause::sink,
                  fmt::format("output {} does not stand where it did", home.name));
    }
    // Others have the first batch of the empty state where it died between them and home.
    const bool together = at_home().remedy != state::Remedy::refuse;
    if (std::exchange(shared_.empty_state, false) && together) {
      shared_.log.warn("the state begins empty at {}: what was counted before is not in it",
                       to_string(version));
      replaces_ = true;
      return store.begin_empty(version);
    }
    return unfit(fmt::format(
        "output {} is at {}, and the state that it is home of is at {}: it was kept elsewhere, or "
        "tables were emptied, or restored from different moments. Restore all of the output's "
        "tables from one backup, name the output that is home by state_home, or begin with an "
        "empty state (Setup::begin_with_empty_state)",
        home.name, to_string(version), to_string(read->version)));
  }
  replaces_ = false;
  if (read->version == before) return {};
  if (auto begun = begin(*read); !begun) return begun;
  crash_point("stream_read_home");
  if (auto ended = store.end_load(version); !ended) return ended;
  shared_.log.info("the state at {} is read from output {}: {} {}", to_string(version), home.name,
                   rows, read->all ? "rows, all that there are" : "rows that have changed");
  return {};
}

Result<void> Outputs::follow_home() {
  const auto version = versions()[*shared_.home].version;
  if ((follows_ || replaces_) && shared_.state->stored().base == version) return {};
  if (auto loaded = load_from_home(version); !loaded) return loaded;
  follows_ = true;
  return {};
}

Result<state::Remedy> Outputs::settle_at_home() {
  if (auto followed = follow_home(); !followed) return tl::unexpected(followed.error());
  auto decision = at_home();
  if (decision.remedy == state::Remedy::refuse) return unfit(std::move(decision.why));
  return decision.remedy;
}

Result<void> Outputs::state_at_home_fits(const std::optional<PendingBatch>& pending) {
  follows_ = false;
  const auto remedy = settle_at_home();
  // Once: what goes back later is another matter.
  shared_.empty_state = false;
  if (!remedy) return tl::unexpected(remedy.error());
  auto left = stages_left(*shared_.graph, *shared_.state, shared_.drop_state, StateAt::home);
  if (!left) return tl::unexpected(left.error());
  forgotten_ = *std::move(left);
  if (*remedy != state::Remedy::roll_forward) return {};
  const auto version = ahead_of_home().version;
  const auto& home = outputs_[*shared_.home].name;
  if (pending && pending->time == version.time && is_one_batch(*pending)) {
    shared_.log.warn(
        "other outputs have {}, and {}, the home of the state, has not: it is computed again",
        to_string(version), home);
    return {};
  }
  return unfit(
      fmt::format("other outputs are at {}, and that is more than one batch behind {}, the home of "
                  "the state: its ledger was restored. Restore the others from the same moment",
                  to_string(version), home));
}

}  // namespace semel::stream
