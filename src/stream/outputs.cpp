#include "stream/outputs.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>
#include <utility>

#include "stream/batch_session.hpp"

namespace semel::stream {

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
  output.led = {state::version_in(*progress), state::checksum_in(*progress)};
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
  return BatchSession::open(*this);
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

void Outputs::committed(std::size_t output, std::span<const Task> tasks, const Led& led) {
  const std::lock_guard lock(mutex_);
  if (shared_.state && is_batches(tasks.back().range.tp)) {
    outputs_[output].led = led;
    if (output == shared_.home) replaces_ = false;
  }
  for (const auto& task : tasks) {
    stand(outputs_[output], task.range.tp, task.range.until, task.time);
  }
}

}  // namespace semel::stream
