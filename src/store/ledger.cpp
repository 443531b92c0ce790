// The ledger as operators read and change it.
#include <fmt/format.h>

#include <algorithm>

#include "base/ledger_names.hpp"
#include "store/entries.hpp"
#include "store/moment.hpp"
#include "store/setup.hpp"

namespace semel::store {

namespace {

OwnerState state_of(const OwnerRow& row, double seen_seconds_ago) {
  if (row.state == state_stopped) return OwnerState::stopped;
  if (row.state == state_failed) return OwnerState::failed;
  // Five missed beats are no hiccup any more.
  constexpr double beats = 5.0 / 1'000;
  return seen_seconds_ago <= beats * static_cast<double>(row.heartbeat_ms) ? OwnerState::running
                                                                           : OwnerState::silent;
}

class StoreLedger final : public Ledger {
 public:
  StoreLedger(std::unique_ptr<Store> store, const Setup& setup)
      : store_(std::move(store)),
        owner_(setup.context.owner),
        place_(setup.place),
        own_begins_(setup.own_begins),
        forgets_(setup.forgets) {}

  Result<std::optional<OwnerStatus>> owner() override {
    return reading([&] { return status(); });
  }

  Result<std::vector<Progress>> progress() override {
    return reading([&] { return read_progress(*store_, owner_); });
  }

  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    return reading([&]() -> Result<std::vector<Progress>> {
      // Rows without a position are in no history that could prove them.
      if (auto none = none_unadvanced(); !none) return tl::unexpected(none.error());
      constexpr std::size_t piece = 1'000;
      std::vector<Move> moves;
      auto read = read_history(*store_, owner_, [&](const Move& move) {
        moves.push_back(move);
        if (moves.size() < piece) return;
        see(moves);
        moves.clear();
      });
      if (!read) return tl::unexpected(read.error());
      if (!moves.empty()) see(moves);
      return read_progress(*store_, owner_);
    });
  }

  Result<Counts> counts() override {
    return reading([&]() -> Result<Counts> {
      Counts counts;
      auto read = read_history(*store_, owner_, [&](const Move& move) {
        if (move.kind == MoveKind::lost && move.until > move.from) {
          counts.lost += static_cast<std::uint64_t>(move.until - move.from);
        }
        if (move.kind != MoveKind::commit) return;
        if (counts.commits++ == 0 || move.committed_at < counts.since) {
          counts.since = move.committed_at;
        }
        counts.rows += move.rows;
        counts.dead_letters += move.dead_letters;
        counts.ignored += move.ignored.value_or(0);
        counts.suppressed += move.suppressed.value_or(0);
      });
      if (!read) return tl::unexpected(read.error());
      return counts;
    });
  }

  Result<std::uint64_t> dead_letters() override {
    return reading([&] {
      return store_->count(store::dead_letters(), {owner_.pipeline, owner_.output});
    });
  }

  Result<void> set(std::span<const Progress> positions, bool force) override {
    return as_operator(force, [&](OwnerRow& row) { return jump(positions, row); });
  }

  Result<void> reset(bool force) override {
    return as_operator(force, [&](OwnerRow& row) -> Result<void> {
      auto all = read_progress(*store_, owner_);
      if (!all) return tl::unexpected(all.error());
      if (auto jumped = jump(*all, row); !jumped) return jumped;
      row.cluster_id.clear();
      if (auto gone = forgotten(nullptr); !gone) return gone;
      return store_->erase(store::progress(), {owner_.pipeline, owner_.output});
    });
  }

  Result<void> forget() override {
    if (!forgets_) return Ledger::forget();
    return in_transaction(*store_, Access::writing, [&]() -> Result<void> {
      auto known = status();
      if (!known) return tl::unexpected(known.error());
      if (*known && (*known)->state == OwnerState::running) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("{} is running: stop it first", (*known)->description));
      }
      for (const auto* table : tables()) {
        if (auto gone = store_->erase(*table, {owner_.pipeline, owner_.output}); !gone) return gone;
      }
      return {};
    });
  }

  Result<std::vector<TopicPartition>> disputed() override {
    return reading([&]() -> Result<std::vector<TopicPartition>> {
      auto there = knows_begun();
      if (!there) return tl::unexpected(there.error());
      return *there ? read_begun(*store_, owner_) : std::vector<TopicPartition>();
    });
  }

 private:
  template <class Action>
  auto reading(Action action) -> decltype(action()) {
    return in_transaction(*store_, Access::reading, action);
  }

  Result<std::optional<OwnerStatus>> status() {
    auto found = read_owner(*store_, owner_);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return std::nullopt;
    auto now = store_->now_ms();
    if (!now) return tl::unexpected(now.error());
    const auto seconds_since = [&](const std::string& moment) {
      constexpr double ms = 1'000;
      return static_cast<double>(*now - moment_of(moment).value_or(0)) / ms;
    };
    const auto& row = **found;
    OwnerStatus status{.epoch = row.epoch,
                       .id = row.id,
                       .description = row.description,
                       .since = row.since,
                       .seen_seconds_ago = seconds_since(row.seen_at),
                       .cluster_id = row.cluster_id,
                       .reason = row.reason,
                       .heartbeat_ms = row.heartbeat_ms};
    status.state = state_of(row, status.seen_seconds_ago);
    auto rows = read_progress_rows(*store_, owner_);
    if (!rows) return tl::unexpected(rows.error());
    const auto last = std::ranges::max_element(*rows, {}, &ProgressRow::moved_at);
    if (last != rows->end()) status.moved_seconds_ago = seconds_since(last->moved_at);
    return status;
  }

  /// Becomes the owner, so that whoever was it is fenced. `action` may change its row.
  template <class Action>
  Result<void> as_operator(bool force, Action action) {
    return in_transaction(*store_, Access::writing, [&]() -> Result<void> {
      auto before = status();
      if (!before) return tl::unexpected(before.error());
      if (!*before) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("pipeline {} has never written into {}", owner_.pipeline, place_));
      }
      if (!force && (*before)->state == OwnerState::running) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("{} is running: stop it first, or use --force, which fences it",
                                (*before)->description));
      }
      auto row = read_owner(*store_, owner_);
      if (!row) return tl::unexpected(row.error());
      auto now = store_->now_ms();
      if (!now) return tl::unexpected(now.error());
      ++(*row)->epoch;
      (*row)->id = "operator";
      (*row)->description = "semel offsets";
      (*row)->since = (*row)->seen_at = moment_text(*now);
      (*row)->state = state_stopped;
      (*row)->reason.clear();
      if (auto done = action(**row); !done) return done;
      return write_owner(*store_, owner_, **row);
    });
  }

  Result<bool> knows_begun() {
    if (!own_begins_) return false;
    auto there = store_->columns_of(begun());
    if (!there) return tl::unexpected(there.error());
    return !there->empty();
  }

  Result<void> none_unadvanced() {
    auto there = knows_begun();
    if (!there) return tl::unexpected(there.error());
    return *there ? none_begun(*store_, owner_, nullptr, place_) : Result<void>{};
  }

  /// What a program has committed without the advance: whoever says where to go on has seen to it.
  Result<void> forgotten(const TopicPartition* tp) {
    return own_begins_ ? forget_begun(*store_, owner_, tp) : Result<void>{};
  }

  Result<void> jump(std::span<const Progress> positions, const OwnerRow& row) {
    for (auto to : positions) {
      if (auto gone = forgotten(&to.tp); !gone) return gone;
      auto before = find_progress(*store_, owner_, to.tp);
      if (!before) return tl::unexpected(before.error());
      auto last = last_move(*store_, owner_, to.tp);
      if (!last) return tl::unexpected(last.error());
      if (*last) to.batch_time = std::max(to.batch_time, (*last)->batch_time);
      auto put = write_progress(*store_, owner_, {.at = to, .epoch = row.epoch, .owner = row.id});
      if (!put) return put;
      auto added = add_move(*store_, owner_,
                            {.tp = to.tp,
                             .batch_time = to.batch_time,
                             .epoch = row.epoch,
                             .from = *before ? (*before)->until : to.until,
                             .until = to.until,
                             .kind = MoveKind::set});
      if (!added) return added;
    }
    return {};
  }

  std::unique_ptr<Store> store_;
  Owner owner_;
  std::string place_;
  bool own_begins_;
  bool forgets_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> open_ledger(const Setup& setup) {
  auto store = setup.open(std::make_shared<std::atomic<bool>>(false), std::nullopt);
  if (!store) return tl::unexpected(store.error());
  auto there =
      in_transaction(**store, Access::reading, [&] { return find_ledger(**store, setup.place); });
  if (!there) return tl::unexpected(there.error());
  if (!*there) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("there is no ledger in {}: no pipeline has written into it", setup.place));
  }
  return std::make_unique<StoreLedger>(*std::move(store), setup);
}

}  // namespace semel::store
