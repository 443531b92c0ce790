// How several outputs are taken over, and where they go on together.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "base/wall_clock.hpp"
#include "state/directory.hpp"
#include "stream/outputs.hpp"

namespace semel::stream {

namespace {

// How often an output that somebody took meanwhile is taken again: two that start at once need two.
constexpr int take_again_max = 5;

}  // namespace

Result<std::vector<TakenOver>> Outputs::take_over_each(const std::string& cluster_id) {
  std::vector<TakenOver> all;
  for (auto& output : outputs_) {
    auto taken = output.sink->take_over(cluster_id);
    if (!taken) return tl::unexpected(taken.error());
    all.push_back(*std::move(taken));
    const auto& recorded = all.back().cluster_id;
    if (!recorded.empty() && recorded != cluster_id) return all;
    const std::lock_guard lock(mutex_);
    output.epoch = all.back().epoch;
  }
  return all;
}

Result<void> Outputs::all_ours(const std::string& cluster_id, std::vector<TakenOver>& taken) {
  for (int again = 0; outputs_.size() > 1; ++again) {
    bool all = true;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      auto& output = outputs_[i];
      const auto alive = output.sink->keep_alive();
      if (!alive) return tl::unexpected(alive.error());
      bool went_back = false;
      {
        const std::lock_guard lock(mutex_);
        if (ours(output, alive->ledger)) continue;
        went_back = alive->ledger.epoch < output.epoch || alive->ledger.owner == shared_.owner;
      }
      // What went back under us is taken again; of others, the first output decides.
      if (again == take_again_max) {
        return fail(ErrorKind::retriable, Cause::sink,
                    fmt::format("output {} does not stay ours", output.name));
      }
      if (i == 0 && !went_back) {
        return fail(ErrorKind::fatal, Cause::fenced,
                    fmt::format("{} took over output {} while this process was taking over. Only "
                                "one process may run a pipeline",
                                alive->ledger.owner_description, output.name));
      }
      auto retaken = output.sink->take_over(cluster_id);
      if (!retaken) return tl::unexpected(retaken.error());
      taken[i] = *std::move(retaken);
      all = false;
      const std::lock_guard lock(mutex_);
      output.epoch = taken[i].epoch;
    }
    if (all) return {};
  }
  return {};
}

Result<void> Outputs::enter_missing(const std::vector<std::vector<Progress>>& to_enter) {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (to_enter[i].empty()) continue;
    auto& output = outputs_[i];
    const auto entered = output.sink->enter(to_enter[i]);
    if (!entered) return tl::unexpected(entered.error());
    if (const auto* by = std::get_if<Refused>(&*entered)) {
      const auto seen = as_driver_sees(i, by->ledger);
      if (!seen) return tl::unexpected(seen.error());
      if (seen->epoch < epoch_) {
        return fail(ErrorKind::retriable, Cause::sink,
                    fmt::format("output {} did not stay ours while the others were taken over",
                                output.name));
      }
      return fail(ErrorKind::fatal, Cause::fenced,
                  fmt::format("another process took over output {}", output.name));
    }
    shared_.log.info("output {} begins where the other outputs stand: {} partitions", output.name,
                     to_enter[i].size());
    const std::lock_guard lock(mutex_);
    stand(output, std::get<std::vector<Progress>>(*entered));
  }
  return {};
}

/// What one output has recorded as lost, and another was about to.
Result<void> Outputs::record_lost(const std::vector<std::vector<LostRange>>& lost) {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (lost[i].empty()) continue;
    auto session = outputs_[i].sink->open_session();
    if (!session) return tl::unexpected(session.error());
    for (const auto& one : lost[i]) {
      const Task task{.time = one.time,
                      .range = one.range,
                      .kind = TaskKind::lost,
                      .epoch = outputs_[i].epoch,
                      .moved_by = one.moved_by,
                      .reason = "lost, as another output has recorded it"};
      auto begun = (*session)->begin(std::span(&task, 1));
      if (!begun) return tl::unexpected(begun.error());
      const RangeEnd end;
      auto committed = (*session)->commit(std::span(&end, 1));
      if (!committed) return tl::unexpected(committed.error());
      if (std::holds_alternative<Refused>(*committed)) {
        return fail(ErrorKind::retriable, Cause::sink,
                    fmt::format("output {} did not record that {} is lost", outputs_[i].name,
                                to_string(one.range)));
      }
      const std::lock_guard lock(mutex_);
      stand(outputs_[i], one.range.tp, one.range.until, one.time);
    }
  }
  return {};
}

Result<TakenOver> Outputs::take_over(const std::string& cluster_id) {
  auto taken = take_over_each(cluster_id);
  if (!taken) return tl::unexpected(taken.error());
  if (taken->size() < outputs_.size()) return std::move(taken->back());
  if (auto all = all_ours(cluster_id, *taken); !all) return tl::unexpected(all.error());

  cluster_id_ = cluster_id;
  std::vector<Standing> standings;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto& one = (*taken)[i];
    standings.push_back({outputs_[i].name, one.progress, one.highest_batch_time});
  }
  auto agreed = agree(standings);
  if (!agreed) return tl::unexpected(agreed.error());
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      auto& output = outputs_[i];
      output.at.clear();
      stand(output, (*taken)[i].progress);
      // Who knows nothing yet begins where the others are.
      const bool is_new = (*taken)[i].progress.empty();
      output.version = state::version_in(is_new ? agreed->progress : (*taken)[i].progress);
      if (!agreed->pending) continue;
      for (const auto& range : agreed->pending->ranges) {
        const auto found = output.at.find(range.tp);
        if (found != output.at.end() && found->second.until == range.until) {
          found->second.pending = agreed->pending->time;
        }
      }
    }
    epoch_ = outputs_.front().epoch;
  }
  if (auto fits = state_fits(agreed->pending); !fits) return tl::unexpected(fits.error());
  if (auto entered = enter_missing(agreed->to_enter); !entered) {
    return tl::unexpected(entered.error());
  }
  if (auto recorded = record_lost(agreed->lost); !recorded) {
    return tl::unexpected(recorded.error());
  }

  auto together = std::move(taken->front());
  for (std::size_t i = 1; i < taken->size(); ++i) {
    auto& one = (*taken)[i];
    together.notes.insert(together.notes.end(), one.notes.begin(), one.notes.end());
    if (together.previous_owner.empty()) together.previous_owner = std::move(one.previous_owner);
  }
  together.progress = std::move(agreed->progress);
  together.highest_batch_time = agreed->highest_batch_time;
  together.pending = std::move(agreed->pending);
  return together;
}

Result<state::Remedy> Outputs::settle_state() {
  auto& store = *shared_.state;
  std::vector<state::OutputVersion> versions;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& output : outputs_) versions.push_back({output.name, output.version});
  }
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
  auto& store = *shared_.state;
  const auto& first = outputs_.front().version;
  const bool agree =
      std::ranges::all_of(outputs_, [&](const auto& output) { return output.version == first; });
  std::vector<state::OutputVersion> versions;
  for (const auto& output : outputs_) versions.push_back({output.name, output.version});
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

}  // namespace semel::stream
