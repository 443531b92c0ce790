#include "memory/memory_sink.hpp"

#include <algorithm>
#include <atomic>

namespace semel::memory {

namespace {

using Store = std::shared_ptr<MemoryStore>;

LedgerEntry entry_of(const MemoryStore::Output& output, const TopicPartition* tp) {
  LedgerEntry entry{.until = std::nullopt,
                    .epoch = output.epoch > 0 ? output.epoch : -1,
                    .owner = output.owner.id,
                    .owner_description = output.owner.description,
                    .since = "",
                    .batch_time = {}};
  if (tp != nullptr && output.progress.contains(*tp)) {
    entry.until = output.progress.at(*tp).until;
    entry.batch_time = output.progress.at(*tp).batch_time;
  }
  return entry;
}

Error interrupted() {
  return {ErrorKind::unavailable, Cause::sink, "interrupted"};
}

class Session final : public SinkSession {
 public:
  Session(Store store, Owner owner, std::shared_ptr<std::atomic<bool>> stop)
      : store_(std::move(store)), owner_(std::move(owner)), stop_(std::move(stop)) {}

  void warm_up() noexcept override {}  // memory needs no connection

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    if (*stop_) return tl::unexpected(interrupted());
    abort();
    for (const auto& task : tasks) parts_.push_back({task, {}, {}});
    if (!tasks.front().isolate) return std::nullopt;
    const std::lock_guard lock(store_->mutex);
    return first_refused();
  }

  Result<void> write(std::size_t task, std::span<const Record> records) override {
    auto& part = parts_[task];
    for (const auto& record : records) {
      if (record.value && record.value->starts_with('{')) {
        part.rows.push_back({record.offset, std::string(*record.value)});
      } else {
        part.dead.push_back(record.offset);
      }
    }
    return {};
  }

  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    if (*stop_) return tl::unexpected(interrupted());
    const std::lock_guard lock(store_->mutex);
    // All are asked before any is moved: so it is all or nothing.
    if (const auto refused = first_refused()) return *refused;
    std::vector<Committed> counts;
    for (std::size_t i = 0; i < parts_.size(); ++i) counts.push_back(store(parts_[i], ends[i]));
    abort();
    return counts;
  }

  void abort() noexcept override { parts_.clear(); }

 private:
  /// A task and what was written for it.
  struct Part {
    Task task;
    std::vector<MemoryStore::Stored> rows;
    std::vector<Offset> dead;
  };

  MemoryStore::Output& output() { return store_->outputs[{owner_.pipeline, owner_.output}]; }

  std::optional<Refused> first_refused() {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& task = parts_[i].task;
      const auto entry = entry_of(output(), &task.range.tp);
      if (!allows(entry, task, owner_)) return Refused{entry, i};
    }
    return std::nullopt;
  }

  Committed store(const Part& part, const RangeEnd& end) {
    auto& out = output();
    const auto& [task, rows, dead] = part;
    const auto& range = task.range;
    const bool lost = task.kind == TaskKind::lost;
    out.progress[range.tp] = {range.tp, range.until, task.time, lost ? std::nullopt : end.last};
    out.moves.push_back({.tp = range.tp,
                         .batch_time = task.time,
                         .epoch = out.epoch,
                         .from = range.from,
                         .until = range.until,
                         .kind = lost ? MoveKind::lost : MoveKind::commit,
                         .rows = rows.size(),
                         .dead_letters = dead.size(),
                         .committed_at = ""});
    out.dead_letters += dead.size();
    store_->rows.insert(store_->rows.end(), rows.begin(), rows.end());
    store_->dead.insert(store_->dead.end(), dead.begin(), dead.end());
    return {.rows = rows.size(), .dead_letters = dead.size()};
  }

  Store store_;
  Owner owner_;
  std::shared_ptr<std::atomic<bool>> stop_;
  std::vector<Part> parts_;  ///< of the transaction, in the order of its tasks
};

class MemorySink final : public Sink {
 public:
  MemorySink(Store store, Owner owner) : store_(std::move(store)), owner_(std::move(owner)) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }

  std::int64_t patience_ms() const override { return 0; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    if (*stop_) return tl::unexpected(interrupted());
    const std::lock_guard lock(store_->mutex);
    auto& out = output();
    if (!out.cluster_id.empty() && out.cluster_id != cluster_id) {
      return TakenOver{.cluster_id = out.cluster_id};
    }
    TakenOver taken{.epoch = ++out.epoch, .cluster_id = out.cluster_id};
    if (out.alive && out.owner.id != owner_.id) taken.previous_owner = out.owner.description;
    if (out.cluster_id.empty()) out.cluster_id = cluster_id;
    out.owner = owner_;
    out.alive = true;
    out.failure.reset();
    for (const auto& [tp, progress] : out.progress) taken.progress.push_back(progress);
    for (const auto& move : out.moves) {
      taken.highest_batch_time = std::max(taken.highest_batch_time, move.batch_time);
    }
    epoch_ = taken.epoch;
    return taken;
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    const std::lock_guard lock(store_->mutex);
    auto& out = output();
    if (!ours(out)) return Refused{entry_of(out, nullptr), 0};
    std::vector<Progress> entered;
    for (auto start : starts) {
      for (const auto& move : out.moves) {
        if (move.tp == start.tp) {
          start.batch_time = std::max(start.batch_time, move.batch_time);
        }
      }
      const auto [row, added] = out.progress.emplace(start.tp, start);
      entered.push_back(row->second);
      if (!added) continue;
      out.moves.push_back({.tp = start.tp,
                           .batch_time = start.batch_time,
                           .epoch = out.epoch,
                           .from = start.until,
                           .until = start.until,
                           .kind = MoveKind::start});
    }
    return entered;
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    const std::lock_guard lock(store_->mutex);
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) entries.push_back(entry_of(output(), &task.range.tp));
    return entries;
  }

  Result<Alive> keep_alive() override {
    if (*stop_) return tl::unexpected(interrupted());
    const std::lock_guard lock(store_->mutex);
    Alive alive{entry_of(output(), nullptr), {}};
    for (const auto& [tp, progress] : output().progress) alive.progress.push_back(progress);
    return alive;
  }

  Result<bool> trim() override { return false; }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::unique_ptr<SinkSession>(std::make_unique<Session>(store_, owner_, stop_));
  }

  void leave(const std::optional<std::string>& failure) noexcept override {
    const std::lock_guard lock(store_->mutex);
    if (!ours(output())) return;
    output().alive = false;
    output().failure = failure;
  }

  void interrupt() noexcept override { *stop_ = true; }

 private:
  MemoryStore::Output& output() { return store_->outputs[{owner_.pipeline, owner_.output}]; }
  bool ours(const MemoryStore::Output& out) const {
    return out.owner.id == owner_.id && out.epoch == epoch_;
  }

  Store store_;
  Owner owner_;
  std::int64_t epoch_ = -1;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
};

class MemoryLedger final : public Ledger {
 public:
  MemoryLedger(Store store, std::string pipeline, std::string output)
      : store_(std::move(store)), key_(std::move(pipeline), std::move(output)) {}

  Result<std::optional<OwnerStatus>> owner() override {
    const std::lock_guard lock(store_->mutex);
    const auto& out = store_->outputs[key_];
    if (out.epoch == 0) return std::nullopt;
    return OwnerStatus{.epoch = out.epoch,
                       .id = out.owner.id,
                       .description = out.owner.description,
                       .since = "",
                       .seen_seconds_ago = 0,
                       .cluster_id = out.cluster_id,
                       .state = out.alive     ? OwnerState::running
                                : out.failure ? OwnerState::failed
                                              : OwnerState::stopped,
                       .reason = out.failure.value_or("")};
  }

  Result<std::vector<Progress>> progress() override {
    const std::lock_guard lock(store_->mutex);
    std::vector<Progress> all;
    for (const auto& [tp, one] : store_->outputs[key_].progress) all.push_back(one);
    return all;
  }

  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    std::unique_lock lock(store_->mutex);
    auto all = store_->outputs[key_].moves;
    std::vector<Progress> progress;
    for (const auto& [tp, one] : store_->outputs[key_].progress) progress.push_back(one);
    lock.unlock();
    std::ranges::stable_sort(all, {}, [](const Move& move) {
      return std::tuple(move.tp, move.batch_time, move.epoch, move.from);
    });
    see(all);
    return progress;
  }

  Result<Counts> counts() override {
    Counts counts;
    const auto seen = history([&](std::span<const Move> moves) {
      for (const auto& move : moves) {
        if (move.kind != MoveKind::commit) continue;
        if (counts.commits++ == 0) counts.since = move.committed_at;
        counts.rows += move.rows;
        counts.dead_letters += move.dead_letters;
        counts.ignored += move.ignored.value_or(0);
        counts.suppressed += move.suppressed.value_or(0);
        if (!move.suppressed) ++counts.uncounted;
      }
    });
    if (!seen) return tl::unexpected(seen.error());
    return counts;
  }

  Result<std::uint64_t> dead_letters() override {
    const std::lock_guard lock(store_->mutex);
    return store_->outputs[key_].dead_letters;
  }

  Result<void> set(std::span<const Progress> positions, bool force) override {
    const std::lock_guard lock(store_->mutex);
    auto& out = store_->outputs[key_];
    if (auto taken = take(out, force); !taken) return taken;
    for (auto position : positions) {
      auto& current = out.progress[position.tp];
      position.batch_time = std::max(position.batch_time, current.batch_time);
      out.moves.push_back({.tp = position.tp,
                           .batch_time = position.batch_time,
                           .epoch = out.epoch,
                           .from = current.until,
                           .until = position.until,
                           .kind = MoveKind::set});
      current = position;
    }
    return {};
  }

  Result<void> reset(bool force) override {
    const std::lock_guard lock(store_->mutex);
    auto& out = store_->outputs[key_];
    if (auto taken = take(out, force); !taken) return taken;
    for (const auto& [tp, progress] : out.progress) {
      out.moves.push_back({.tp = tp,
                           .batch_time = progress.batch_time,
                           .epoch = out.epoch,
                           .from = progress.until,
                           .until = progress.until,
                           .kind = MoveKind::set});
    }
    out.progress.clear();
    out.cluster_id.clear();
    return {};
  }

 private:
  static Result<void> take(MemoryStore::Output& out, bool force) {
    if (out.alive && !force) return fail(ErrorKind::fatal, Cause::sink, "the owner is alive");
    ++out.epoch;
    out.owner = {.pipeline = "", .output = "", .id = "operator", .description = "operator"};
    out.alive = false;
    out.failure.reset();
    return {};
  }

  Store store_;
  std::pair<std::string, std::string> key_;
};

}  // namespace

std::unique_ptr<Sink> memory_sink(Store store, const Owner& owner) {
  return std::make_unique<MemorySink>(std::move(store), owner);
}

std::unique_ptr<Ledger> memory_ledger(Store store, const std::string& pipeline,
                                      const std::string& output) {
  return std::make_unique<MemoryLedger>(std::move(store), pipeline, output);
}

}  // namespace semel::memory
