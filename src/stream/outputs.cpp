#include "stream/outputs.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>
#include <utility>

#include "stream/agree.hpp"
#include "stream/batch_session.hpp"

namespace semel::stream {

namespace {

// How often an output that somebody took meanwhile is taken again: two that start at once need two.
constexpr int take_again_max = 5;

state::Version version_in(std::span<const Progress> progress) {
  const auto found =
      std::ranges::find_if(progress, [](const auto& one) { return is_batches(one.tp); });
  return state::version_of(found == progress.end() ? std::nullopt : std::optional(*found));
}

}  // namespace

Outputs::Outputs(Shared shared, std::vector<NamedSink> sinks) : shared_(std::move(shared)) {
  for (auto& sink : sinks) {
    outputs_.push_back({std::move(sink.output), std::move(sink.sink), 0, {}, {}});
  }
}

Outputs::~Outputs() = default;

Guarantee Outputs::guarantee() const {
  auto least = Guarantee::transactional;
  for (const auto& output : outputs_) least = std::min(least, output.sink->guarantee());
  return least;
}

std::int64_t Outputs::patience_ms() const {
  return std::accumulate(
      outputs_.begin(), outputs_.end(), std::int64_t{0},
      [](std::int64_t sum, const auto& output) { return sum + output.sink->patience_ms(); });
}

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
      {
        const std::lock_guard lock(mutex_);
        if (ours(output, alive->ledger)) continue;
      }
      if (i == 0 || again == take_again_max) {
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
    if (std::holds_alternative<Refused>(*entered)) {
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

Result<TakenOver> Outputs::take_over(const std::string& cluster_id) {
  auto taken = take_over_each(cluster_id);
  if (!taken) return tl::unexpected(taken.error());
  if (taken->size() < outputs_.size()) return std::move(taken->back());
  if (auto all = all_ours(cluster_id, *taken); !all) return tl::unexpected(all.error());

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
      output.version = version_in((*taken)[i].progress);
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
        return fail(ErrorKind::fatal, Cause::state, decision.why);
    }
  }
}

/// The state and the outputs belong together, or do so now.
Result<void> Outputs::state_fits(const std::optional<PendingBatch>& pending) {
  if (!shared_.state) return {};
  auto& store = *shared_.state;
  const auto& first = outputs_.front().version;
  const bool agree =
      std::ranges::all_of(outputs_, [&](const auto& output) { return output.version == first; });
  if (shared_.empty_state && agree && store.stored().base != first &&
      !(store.stored().prepared && store.stored().prepared->version == first)) {
    shared_.log.warn("the state begins empty at {}: what was counted before is not in it",
                     to_string(first));
    return store.begin_empty(first);
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

void Outputs::stand(Output& output, const TopicPartition& tp, Offset until, BatchTime batch_time) {
  auto& at = output.at[tp];
  const bool moved = at.until != until || at.batch_time != batch_time;
  at = {until, batch_time, moved ? BatchTime() : at.pending};
}

void Outputs::stand(Output& output, std::span<const Progress> progress) {
  for (const auto& one : progress) stand(output, one.tp, one.until, one.batch_time);
}

std::optional<bool> Outputs::has(const Output& output, const Task& task) {
  const auto found = output.at.find(task.range.tp);
  if (found == output.at.end()) return std::nullopt;
  const auto& at = found->second;
  if (at.until == task.range.from) return false;
  const bool there = at.until == task.range.until;
  if (there && (at.batch_time == task.time || at.pending == task.time)) return true;
  return std::nullopt;
}

Result<EnterResult> Outputs::enter(std::span<const Progress> starts) {
  std::vector<Progress> all;
  for (auto& output : outputs_) {
    auto entered = output.sink->enter(starts);
    if (!entered) return entered;
    if (auto* by = std::get_if<Refused>(&*entered)) {
      const std::lock_guard lock(mutex_);
      return refused_locked(output, std::move(*by));
    }
    auto& progress = std::get<std::vector<Progress>>(*entered);
    const std::lock_guard lock(mutex_);
    stand(output, progress);
    if (&output == &outputs_.front()) all = std::move(progress);
  }
  return all;
}

bool Outputs::ours(const Output& output, const LedgerEntry& entry) const {
  return entry.epoch == output.epoch && entry.owner == shared_.owner;
}

LedgerEntry Outputs::translated(const Output& output, LedgerEntry entry) const {
  entry.epoch += epoch_ - output.epoch;
  return entry;
}

Refused Outputs::refused_locked(const Output& output, Refused by) const {
  by.ledger = translated(output, std::move(by.ledger));
  return by;
}

Refused Outputs::refused(std::size_t output, Refused by) const {
  const std::lock_guard lock(mutex_);
  return refused_locked(outputs_[output], std::move(by));
}

LedgerEntry Outputs::together(const Task& task, std::span<const LedgerEntry> of_outputs) const {
  bool all_have = true;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto has_it = has(outputs_[i], task);
    if (!has_it || !ours(outputs_[i], of_outputs[i])) return translated(outputs_[i], of_outputs[i]);
    all_have = all_have && *has_it;
  }
  auto entry = translated(outputs_.front(), of_outputs.front());
  // As a whole it is committed where all have it.
  entry.until = all_have ? task.range.until : task.range.from;
  entry.batch_time = all_have ? task.time : task.moved_by.value_or(BatchTime());
  return entry;
}

Result<std::vector<LedgerEntry>> Outputs::resolve(std::span<const Task> tasks) {
  std::vector<std::vector<LedgerEntry>> of_tasks(tasks.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    auto entries = outputs_[i].sink->resolve(tasks_of(i, tasks));
    if (!entries) return entries;
    const std::lock_guard lock(mutex_);
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      auto& entry = (*entries)[t];
      if (entry.until) stand(outputs_[i], tasks[t].range.tp, *entry.until, entry.batch_time);
      // It is ours, and there: then it is what was prepared for it.
      if (shared_.state && is_batches(tasks[t].range.tp) && ours(outputs_[i], entry) &&
          has(outputs_[i], tasks[t]).value_or(false)) {
        if (const auto stored = shared_.state->stored(); stored.prepared) {
          outputs_[i].version = stored.prepared->version;
        }
      }
      of_tasks[t].push_back(std::move(entry));
    }
  }
  std::vector<LedgerEntry> all;
  const std::lock_guard lock(mutex_);
  for (std::size_t t = 0; t < tasks.size(); ++t) all.push_back(together(tasks[t], of_tasks[t]));
  return all;
}

Result<Alive> Outputs::keep_alive() {
  std::optional<Alive> all;
  std::map<TopicPartition, std::size_t> known_by;
  std::map<TopicPartition, Progress> least;
  for (auto& output : outputs_) {
    auto alive = output.sink->keep_alive();
    if (!alive) return alive;
    for (const auto& progress : alive->progress) {
      ++known_by[progress.tp];
      const auto [found, added] = least.emplace(progress.tp, progress);
      if (!added && progress.until < found->second.until) found->second = progress;
    }
    const std::lock_guard lock(mutex_);
    const bool foreign = !ours(output, alive->ledger);
    alive->ledger = translated(output, std::move(alive->ledger));
    if (foreign) return alive;
    if (!all) all = *std::move(alive);
  }
  all->progress.clear();
  for (auto& [tp, progress] : least) {
    if (known_by[tp] == outputs_.size()) all->progress.push_back(std::move(progress));
  }
  return *std::move(all);
}

Result<std::optional<LedgerEntry>> Outputs::whose() {
  for (auto& output : outputs_) {
    auto alive = output.sink->keep_alive();
    if (!alive) return tl::unexpected(alive.error());
    const std::lock_guard lock(mutex_);
    if (!ours(output, alive->ledger)) return translated(output, std::move(alive->ledger));
  }
  return std::optional<LedgerEntry>();
}

Result<bool> Outputs::trim() {
  bool more = false;
  for (auto& output : outputs_) {
    const auto trimmed = output.sink->trim();
    if (!trimmed) return trimmed;
    more = more || *trimmed;
  }
  return more;
}

Result<std::unique_ptr<SinkSession>> Outputs::open_session() {
  return std::unique_ptr<SinkSession>(std::make_unique<BatchSession>(*this));
}

Result<std::unique_ptr<SinkSession>> Outputs::open_session(std::size_t output) {
  return outputs_[output].sink->open_session();
}

void Outputs::leave(const std::optional<std::string>& failure) noexcept {
  for (auto& output : outputs_) output.sink->leave(failure);
}

void Outputs::interrupt() noexcept {
  for (auto& output : outputs_) output.sink->interrupt();
}

Result<Outputs::Place> Outputs::place_of(std::size_t output, std::span<const Task> tasks) const {
  const std::lock_guard lock(mutex_);
  std::size_t have = 0;
  std::size_t lack = 0;
  for (const auto& task : tasks) {
    if (const auto has_it = has(outputs_[output], task)) ++(*has_it ? have : lack);
  }
  if (lack == tasks.size()) return Place::lacks;
  if (have == tasks.size()) return Place::has;
  return fail(ErrorKind::in_doubt, Cause::sink,
              fmt::format("output {} does not stand where {} begins", outputs_[output].name,
                          to_string(tasks.front().range)));
}

std::vector<Task> Outputs::tasks_of(std::size_t output, std::span<const Task> tasks) const {
  std::vector<Task> own(tasks.begin(), tasks.end());
  const std::lock_guard lock(mutex_);
  const auto& of = outputs_[output];
  for (auto& task : own) {
    task.epoch = of.epoch;
    const auto found = of.at.find(task.range.tp);
    const bool there = found != of.at.end() && found->second.until == task.range.from;
    if (task.moved_by && there) task.moved_by = found->second.batch_time;
  }
  return own;
}

void Outputs::committed(std::size_t output, std::span<const Task> tasks,
                        const state::Version& version) {
  const std::lock_guard lock(mutex_);
  if (shared_.state && is_batches(tasks.back().range.tp)) outputs_[output].version = version;
  for (const auto& task : tasks) {
    stand(outputs_[output], task.range.tp, task.range.until, task.time);
  }
}

}  // namespace semel::stream
