#include <tuple>

#include "contract/mistaken_world.hpp"

namespace semel::contract {

namespace {

class MistakenLedger final : public Ledger {
 public:
  MistakenLedger(std::shared_ptr<World> world, const Owner& owner)
      : shared_{std::move(world), owner} {}

  Result<std::optional<OwnerStatus>> owner() override {
    const auto lock = shared_.lock();
    const auto& pipeline = shared_.pipeline();
    if (pipeline.owner.owner.empty()) return std::nullopt;
    return OwnerStatus{.epoch = pipeline.owner.epoch,
                       .id = pipeline.owner.owner,
                       .description = pipeline.owner.owner_description,
                       .since = pipeline.since,
                       .cluster_id = pipeline.cluster,
                       .state = state(),
                       .reason = pipeline.reason,
                       .heartbeat_ms = pipeline.heartbeat_ms};
  }
  Result<std::vector<Progress>> progress() override {
    const auto lock = shared_.lock();
    return positions();
  }
  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    auto lock = shared_.lock();
    auto moves = shared_.pipeline().history;
    if (!shared_.is(Mistake::history_in_the_order_of_writing)) sort(moves);
    auto then = positions();
    lock.unlock();
    see(moves);
    if (!shared_.is(Mistake::history_and_progress_of_two_moments)) return then;
    lock.lock();
    return positions();
  }
  Result<Counts> counts() override {
    const auto lock = shared_.lock();
    Counts counts;
    for (const auto& [name, pipeline] : shared_.world->pipelines) {
      if (!is_seen(name, Mistake::counts_are_of_all_outputs)) continue;
      for (const auto& move : pipeline.history) {
        if (move.kind != MoveKind::commit) continue;
        if (counts.commits++ == 0) counts.since = move.committed_at;
        counts.rows += move.rows;
        counts.dead_letters += move.dead_letters;
      }
    }
    return counts;
  }
  Result<std::uint64_t> dead_letters() override {
    const auto lock = shared_.lock();
    std::uint64_t all = 0;
    for (const auto& [name, pipeline] : shared_.world->pipelines) {
      if (is_seen(name, Mistake::dead_letters_are_of_all_pipelines)) all += pipeline.dead_letters;
    }
    return all;
  }
  Result<void> set(std::span<const Progress> positions, bool force) override {
    const auto lock = shared_.lock();
    if (auto may = become_owner(force); !may) return may;
    for (auto to : positions) jump(to);
    return {};
  }
  Result<void> reset(bool force) override {
    const auto lock = shared_.lock();
    if (auto may = become_owner(force); !may) return may;
    auto& pipeline = shared_.pipeline();
    for (const auto& [tp, at] : std::map(pipeline.progress)) jump(at);
    pipeline.progress.clear();
    pipeline.cluster.clear();
    if (shared_.is(Mistake::reset_forgets_the_history)) pipeline.history.clear();
    return {};
  }
  Result<void> forget() override {
    const auto lock = shared_.lock();
    auto& pipeline = shared_.pipeline();
    if (state() == OwnerState::running && !shared_.is(Mistake::forget_asks_nobody)) {
      return fail(ErrorKind::fatal, Cause::sink, "the owner is running");
    }
    Pipeline left;
    if (shared_.is(Mistake::forget_keeps_the_history)) left.history = pipeline.history;
    if (shared_.is(Mistake::forget_keeps_dead_letters)) left.dead_letters = pipeline.dead_letters;
    pipeline = std::move(left);
    if (shared_.is(Mistake::forget_is_of_all_outputs)) shared_.world->pipelines.clear();
    return {};
  }

 private:
  OwnerState state() const {
    const auto& pipeline = shared_.pipeline();
    const auto silent_after = 5 * milliseconds(pipeline.heartbeat_ms);
    const bool silent = std::chrono::steady_clock::now() - pipeline.seen > silent_after;
    const bool told = silent && !shared_.is(Mistake::owner_is_never_silent);
    return pipeline.state == OwnerState::running && told ? OwnerState::silent : pipeline.state;
  }
  /// Of the pipeline's outputs, or of all pipelines, by that mistake.
  bool is_seen(const std::string& name, Mistake mistake) const {
    if (!shared_.is(mistake)) return name == shared_.name();
    return mistake == Mistake::dead_letters_are_of_all_pipelines ||
           name.starts_with(shared_.owner.pipeline + "/");
  }
  void sort(std::vector<Move>& moves) const {
    const auto place = [this](const Move& move) {
      const bool as_text = shared_.is(Mistake::partitions_are_sorted_as_text);
      return std::tuple(move.tp.topic, as_text ? std::to_string(move.tp.partition) : "",
                        move.tp.partition, move.batch_time, move.epoch);
    };
    std::ranges::stable_sort(moves, {}, place);
  }
  std::vector<Progress> positions() const {
    std::vector<Progress> all;
    for (const auto& [tp, at] : shared_.pipeline().progress) all.push_back(at);
    return all;
  }
  Result<void> become_owner(bool force) const {
    auto& pipeline = shared_.pipeline();
    if (!force && state() == OwnerState::running && !shared_.is(Mistake::set_asks_nobody)) {
      return fail(ErrorKind::fatal, Cause::sink, "the owner is running");
    }
    pipeline.state = OwnerState::stopped;
    if (shared_.is(Mistake::set_fences_nobody)) return {};
    pipeline.owner = {.epoch = pipeline.owner.epoch + 1, .owner = "operator"};
    return {};
  }
  void jump(Progress to) const {
    auto& pipeline = shared_.pipeline();
    auto& at = pipeline.progress[shared_.key(to.tp)];
    const auto from = at.tp.topic.empty() ? to.until : at.until;
    to.batch_time = at.batch_time;
    for (const auto& move : pipeline.history) {
      if (move.tp != to.tp || shared_.is(Mistake::set_has_the_batch_time_of_the_position)) continue;
      to.batch_time = std::max(to.batch_time, move.batch_time);
    }
    if (shared_.is(Mistake::set_is_before_the_history)) to.batch_time = {};
    at = to;
    pipeline.history.push_back({.tp = to.tp,
                                .batch_time = to.batch_time,
                                .epoch = pipeline.owner.epoch,
                                .from = from,
                                .until = to.until,
                                .kind = MoveKind::set,
                                .committed_at = now_text()});
  }

  Shared shared_;
};

}  // namespace

std::unique_ptr<Ledger> mistaken_ledger(std::shared_ptr<World> world, const Owner& owner) {
  return std::make_unique<MistakenLedger>(std::move(world), owner);
}

}  // namespace semel::contract
