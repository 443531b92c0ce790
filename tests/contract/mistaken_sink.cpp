#include "contract/mistaken_sink.hpp"

#include "contract/mistaken_world.hpp"

namespace semel::contract {

namespace {

class MistakenSink final : public Sink {
 public:
  MistakenSink(std::shared_ptr<World> world, const Owner& owner)
      : shared_(std::make_shared<Shared>(std::move(world), owner)) {}

  Guarantee guarantee() const override {
    return is(Mistake::claims_less_than_it_is_held_to) ? Guarantee::none
                                                       : shared_->world->guarantee;
  }
  std::int64_t patience_ms() const override { return 0; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    auto lock = shared_->lock();
    if (!lock) return interrupted();
    const auto breathe = [&] {
      lock.unlock();
      std::this_thread::sleep_for(milliseconds(2));
      lock.lock();
    };
    auto* pipeline = &shared_->pipeline();
    TakenOver taken;
    taken.cluster_id = pipeline->cluster;
    const bool other = !pipeline->cluster.empty() && pipeline->cluster != cluster_id;
    if (other && !is(Mistake::other_cluster_fences)) return taken;
    auto progress = pipeline->progress;
    for (const auto& move : pipeline->history) {
      const auto last = std::ranges::find(pipeline->history.rbegin(), pipeline->history.rend(),
                                          move.tp, &Move::tp);
      const auto is_reset = [&](const Move& one) {
        return one.tp == move.tp && one.kind == MoveKind::set && one.from == one.until;
      };
      const bool forgotten = is_reset(*last) || (is(Mistake::reset_is_remembered_for_ever) &&
                                                 std::ranges::any_of(pipeline->history, is_reset));
      if (progress.contains(shared_->key(move.tp)) || forgotten) continue;
      if (is(Mistake::lost_positions_begin_anew)) continue;
      return fail(ErrorKind::fatal, Cause::sink,
                  "the ledger is not whole: " + move.tp.topic + ":" +
                      std::to_string(move.tp.partition) + "=" + std::to_string(last->until));
    }
    if (is(Mistake::reads_before_it_fences)) breathe();
    auto epoch = pipeline->owner.epoch;
    if (is(Mistake::epoch_is_read_and_written_apart)) breathe();
    pipeline = &shared_->pipeline();
    auto& owner = pipeline->owner;
    const bool ours = owner.owner == shared_->owner.id;
    if (!ours && !owner.owner.empty() && pipeline->state == OwnerState::running &&
        !is(Mistake::previous_owner_is_forgotten)) {
      taken.previous_owner = owner.owner_description;
    }
    if (!ours || !is(Mistake::epoch_is_raised_for_others_only))
      epoch = std::max<std::int64_t>(epoch, 0) + 1;
    owner = {.epoch = epoch,
             .owner = shared_->owner.id,
             .owner_description = shared_->owner.description};
    pipeline->cluster = cluster_id;
    pipeline->state = OwnerState::running;
    pipeline->seen = std::chrono::steady_clock::now();
    pipeline->heartbeat_ms = shared_->owner.heartbeat_ms;
    if (pipeline->since.empty() || !is(Mistake::since_is_not_renewed)) {
      pipeline->since = is(Mistake::since_is_a_local_time) ? "31.01.2026 11:20" : now_text();
    }
    if (!is(Mistake::reason_outlives_its_owner)) pipeline->reason.clear();
    taken.epoch = epoch;
    if (!is(Mistake::reads_before_it_fences)) progress = pipeline->progress;
    for (const auto& [tp, at] : progress) {
      taken.progress.push_back(at);
      taken.highest_batch_time = std::max(taken.highest_batch_time, at.batch_time);
    }
    for (const auto& move : pipeline->history) {
      if (is(Mistake::batch_time_is_of_positions_only)) break;
      taken.highest_batch_time = std::max(taken.highest_batch_time, move.batch_time);
    }
    epoch_ = epoch;
    at_take_over_ = taken.progress;
    return taken;
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    auto& pipeline = shared_->pipeline();
    if (!owned() && !is(Mistake::enter_asks_nobody)) return Refused{pipeline.owner, 0};
    std::vector<Progress> all;
    for (auto start : starts) {
      const auto known = pipeline.progress.find(shared_->key(start.tp));
      if (known != pipeline.progress.end() && !is(Mistake::enter_overwrites)) {
        all.push_back(known->second);
        continue;
      }
      for (const auto& move : pipeline.history) {
        if (move.tp != start.tp || is(Mistake::start_is_before_the_history)) continue;
        start.batch_time = std::max(start.batch_time, move.batch_time);
      }
      all.push_back(start);
      pipeline.progress[shared_->key(start.tp)] = start;
      if (is(Mistake::start_is_not_in_the_history)) continue;
      pipeline.history.push_back({.tp = start.tp,
                                  .batch_time = start.batch_time,
                                  .epoch = epoch_,
                                  .from = start.until,
                                  .until = start.until,
                                  .kind = MoveKind::start,
                                  .committed_at = now_text()});
    }
    return all;
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) {
      const auto now = shared_->entry(task.range.tp);
      const auto first = shared_->resolved.emplace(task.range.tp, now).first->second;
      entries.push_back(is(Mistake::resolve_answers_as_before) ? first : now);
    }
    return entries;
  }

  Result<Alive> keep_alive() override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    auto& pipeline = shared_->pipeline();
    Alive alive{pipeline.owner, {}};
    if (owned()) pipeline.seen = std::chrono::steady_clock::now();
    if (is(Mistake::keep_alive_takes_the_output)) {
      pipeline.owner.owner = shared_->owner.id;
      pipeline.owner.epoch = epoch_;
    }
    for (const auto& [tp, at] : pipeline.progress) alive.progress.push_back(at);
    if (is(Mistake::keep_alive_tells_old_positions)) alive.progress = at_take_over_;
    return alive;
  }

  Result<bool> trim() override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    if (is(Mistake::trims_all)) shared_->pipeline().history.clear();
    return false;
  }

  Result<std::unique_ptr<SinkSession>> open_session() override { return mistaken_session(shared_); }

  bool become_home() noexcept override { return true; }
  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    auto lock = shared_->lock();
    if (!lock) return interrupted();
    auto* home = &shared_->state();
    StateRead read;
    if (!home->versions.empty()) read.version = home->versions.back();
    if (read.version == since) return read;
    if (is(Mistake::state_and_version_of_two_moments)) {
      lock.unlock();
      std::this_thread::sleep_for(milliseconds(2));
      lock.lock();
    }
    read.all = std::ranges::none_of(home->versions, [&](const auto& one) {
      return is(Mistake::state_names_are_not_compared) ? one.time == since.time : one == since;
    });
    const auto from = is(Mistake::changes_are_told_since_the_beginning) ? BatchTime() : since.time;
    std::vector<StateRow> rows;
    for (const auto& [key, row] : home->rows) {
      const bool gone = !row.value;
      if (gone && (read.all || is(Mistake::gone_keys_are_not_told))) continue;
      if (!read.all && row.time <= from) continue;
      rows.push_back({key, gone ? std::nullopt : std::optional<std::string_view>(*row.value)});
    }
    if (auto seen = see(read, rows); !seen) return tl::unexpected(seen.error());
    return read;
  }

  void leave(const std::optional<std::string>& failure) noexcept override {
    const auto lock = shared_->lock(!is(Mistake::leaves_only_uninterrupted));
    if (!lock || (!owned() && !is(Mistake::leaves_though_it_was_fenced))) return;
    shared_->pipeline().state = failure ? OwnerState::failed : OwnerState::stopped;
    shared_->pipeline().reason = failure.value_or("");
  }

  void interrupt() noexcept override { shared_->stop = true; }

 private:
  bool is(Mistake one) const { return shared_->is(one); }
  bool owned() const {
    const auto& owner = shared_->pipeline().owner;
    return owner.owner == shared_->owner.id && owner.epoch == epoch_;
  }

  std::shared_ptr<Shared> shared_;
  std::int64_t epoch_ = -1;
  std::vector<Progress> at_take_over_;
};

}  // namespace

std::unique_ptr<Sink> mistaken_sink(std::shared_ptr<World> world, const Owner& owner) {
  return std::make_unique<MistakenSink>(std::move(world), owner);
}

}  // namespace semel::contract
