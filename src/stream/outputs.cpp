#include "stream/outputs.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>
#include <utility>

#include "stream/batch_session.hpp"

namespace semel::stream {

namespace {

// How often an output that somebody took meanwhile is taken again: two that start at once need two.
constexpr int take_again_max = 5;

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
  std::vector<state::OutputVersion> versions;
  for (const auto& output : outputs_) versions.push_back({output.name, output.version});
  const bool refused = state::decide(store.stored(), versions).remedy == state::Remedy::refuse;
  // Once: what goes back later is another matter.
  if (std::exchange(shared_.empty_state, false) && agree && refused) {
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
      auto seen = refused(static_cast<std::size_t>(&output - outputs_.data()), std::move(*by));
      if (!seen) return tl::unexpected(seen.error());
      return *std::move(seen);
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

Result<LedgerEntry> Outputs::as_driver_sees(std::size_t output, LedgerEntry entry) {
  auto& of = outputs_[output];
  {
    const std::lock_guard lock(mutex_);
    if (entry.owner == shared_.owner && entry.epoch > of.epoch) {
      // Taken over again, and the answer was lost.
      entry.epoch = epoch_ - 1;
      return entry;
    }
    if (output == 0 || ours(of, entry) || entry.epoch < of.epoch) {
      return translated(of, std::move(entry));
    }
  }
  // Asked after that: outputs are taken over in one order.
  auto& first = outputs_.front();
  auto alive = first.sink->keep_alive();
  if (!alive) return tl::unexpected(alive.error());
  const std::lock_guard lock(mutex_);
  if (!ours(first, alive->ledger)) return translated(first, std::move(alive->ledger));
  shared_.log.warn("{} took over output {}, and has lost output {} to this process",
                   entry.owner_description, of.name, first.name);
  entry.epoch = epoch_ - 1;
  return entry;
}

Result<Refused> Outputs::refused(std::size_t output, Refused by) {
  auto seen = as_driver_sees(output, std::move(by.ledger));
  if (!seen) return tl::unexpected(seen.error());
  return Refused{*std::move(seen), by.task};
}

LedgerEntry Outputs::together(const Task& task, std::span<const LedgerEntry> of_outputs) const {
  bool all_have = true;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto has_it = has(outputs_[i], task);
    if (!has_it) return translated(outputs_[i], of_outputs[i]);
    all_have = all_have && *has_it;
  }
  auto entry = translated(outputs_.front(), of_outputs.front());
  // As a whole it is committed where all have it.
  entry.until = all_have ? task.range.until : task.range.from;
  entry.batch_time = all_have ? task.time : task.moved_by.value_or(BatchTime());
  return entry;
}

Result<std::vector<Progress>> Outputs::place_for_good(Output& output, bool lacks) {
  if (lacks) {
    // Where its session could not be ended, the commit may arrive yet: not under this epoch.
    auto taken = output.sink->take_over(cluster_id_);
    if (!taken) return tl::unexpected(taken.error());
    const std::lock_guard lock(mutex_);
    output.epoch = taken->epoch;
    return std::move(taken->progress);
  }
  auto alive = output.sink->keep_alive();
  if (!alive) return tl::unexpected(alive.error());
  return std::move(alive->progress);
}

Result<void> Outputs::look_again(std::size_t number, std::span<const Task> tasks,
                                 std::vector<LedgerEntry>& entries) {
  auto& output = outputs_[number];
  bool lacks = false;
  const bool alone = outputs_.size() == 1 && !shared_.state;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    lacks = lacks || (!alone && entries[t].until == tasks[t].range.from);
  }
  const auto progress = place_for_good(output, lacks);
  if (!progress) return tl::unexpected(progress.error());
  const std::lock_guard lock(mutex_);
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const auto& tp = tasks[t].range.tp;
    auto& entry = entries[t];
    const auto found = std::ranges::find(*progress, tp, &Progress::tp);
    entry.epoch = output.epoch;
    entry.until.reset();
    if (found == progress->end()) {
      output.at.erase(tp);
      continue;
    }
    entry.until = found->until;
    entry.batch_time = found->batch_time;
    stand(output, tp, found->until, found->batch_time);
  }
  output.version = state::version_in(*progress);
  return {};
}

Result<std::vector<LedgerEntry>> Outputs::resolve(std::span<const Task> tasks) {
  std::vector<std::vector<LedgerEntry>> of_tasks(tasks.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    auto entries = outputs_[i].sink->resolve(tasks_of(i, tasks));
    if (!entries) return entries;
    auto owner = as_driver_sees(i, entries->front());
    if (!owner) return tl::unexpected(owner.error());
    if (!ours_to_driver(*owner)) {
      return std::vector(tasks.size(), *std::move(owner));
    }
    auto seen = look_again(i, tasks, *entries);
    if (!seen) return tl::unexpected(seen.error());
    for (std::size_t t = 0; t < tasks.size(); ++t) of_tasks[t].push_back(std::move((*entries)[t]));
  }
  std::vector<LedgerEntry> all;
  const std::lock_guard lock(mutex_);
  for (std::size_t t = 0; t < tasks.size(); ++t) all.push_back(together(tasks[t], of_tasks[t]));
  return all;
}

bool Outputs::ours_to_driver(const LedgerEntry& entry) const {
  const std::lock_guard lock(mutex_);
  return entry.epoch == epoch_ && entry.owner == shared_.owner;
}

Result<Alive> Outputs::keep_alive() {
  std::optional<Alive> all;
  std::map<TopicPartition, std::size_t> known_by;
  std::map<TopicPartition, Progress> least;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    auto alive = outputs_[i].sink->keep_alive();
    if (!alive) return alive;
    for (const auto& progress : alive->progress) {
      ++known_by[progress.tp];
      const auto [found, added] = least.emplace(progress.tp, progress);
      if (!added && progress.until < found->second.until) found->second = progress;
    }
    auto owner = as_driver_sees(i, std::move(alive->ledger));
    if (!owner) return tl::unexpected(owner.error());
    alive->ledger = *std::move(owner);
    if (!ours_to_driver(alive->ledger)) return alive;
    if (!all) all = *std::move(alive);
  }
  all->progress.clear();
  for (auto& [tp, progress] : least) {
    if (known_by[tp] == outputs_.size()) all->progress.push_back(std::move(progress));
  }
  return *std::move(all);
}

bool Outputs::stands(const Output& output, std::span<const Progress> progress) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(output.at, [&](const auto& at) {
    const auto found = std::ranges::find(progress, at.first, &Progress::tp);
    return found != progress.end() && found->until == at.second.until &&
           found->batch_time == at.second.batch_time;
  });
}

Result<std::optional<LedgerEntry>> Outputs::whose() {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    auto alive = outputs_[i].sink->keep_alive();
    if (!alive) return tl::unexpected(alive.error());
    auto owner = as_driver_sees(i, std::move(alive->ledger));
    if (!owner) return tl::unexpected(owner.error());
    if (!ours_to_driver(*owner)) return std::optional(*std::move(owner));
    if (stands(outputs_[i], alive->progress)) continue;
    return fail(ErrorKind::in_doubt, Cause::sink,
                fmt::format("output {} does not stand where it did", outputs_[i].name));
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
