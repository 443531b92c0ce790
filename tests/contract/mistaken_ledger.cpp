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
                       .cluster_id = pipeline.cluster,
                       .state = pipeline.state,
                       .reason = pipeline.reason};
  }
  Result<std::vector<Progress>> progress() override {
    const auto lock = shared_.lock();
    return positions();
  }
  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    auto lock = shared_.lock();
    const auto moves = shared_.pipeline().history;
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
    for (const auto& move : shared_.pipeline().history) {
      if (move.kind != MoveKind::commit) continue;
      if (counts.commits++ == 0) counts.since = move.committed_at;
      counts.rows += move.rows;
      counts.dead_letters += move.dead_letters;
    }
    return counts;
  }
  Result<std::uint64_t> dead_letters() override {
    const auto lock = shared_.lock();
    return shared_.pipeline().dead_letters;
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

 private:
  std::vector<Progress> positions() const {
    std::vector<Progress> all;
    for (const auto& [tp, at] : shared_.pipeline().progress) all.push_back(at);
    return all;
  }
  Result<void> become_owner(bool force) const {
    auto& pipeline = shared_.pipeline();
    if (!force && pipeline.state == OwnerState::running && !shared_.is(Mistake::set_asks_nobody)) {
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
    at = to;
    pipeline.history.push_back({.tp = to.tp,
                                .batch_time = to.batch_time,
                                .epoch = pipeline.owner.epoch,
                                .from = from,
                                .until = to.until,
                                .kind = MoveKind::set});
  }

  Shared shared_;
};

}  // namespace

std::unique_ptr<Ledger> mistaken_ledger(std::shared_ptr<World> world, const Owner& owner) {
  return std::make_unique<MistakenLedger>(std::move(world), owner);
}

}  // namespace semel::contract
