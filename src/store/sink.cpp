// The owner: take-over, entering partitions, keep-alive, trimming.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/clean_text.hpp"
#include "base/crash_point.hpp"
#include "base/ledger_names.hpp"
#include "store/entries.hpp"
#include "store/moment.hpp"
#include "store/own.hpp"
#include "store/session.hpp"
#include "store/state.hpp"
#include "store/take_over.hpp"

namespace semel::store {

namespace {

class StoreSink final : public LedgerOfStore {
 public:
  StoreSink(std::shared_ptr<Shared> shared, std::unique_ptr<Store> control)
      : shared_(std::move(shared)), control_(std::move(control)) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }

  std::int64_t patience_ms() const override { return shared_->setup.patience_ms; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    auto taken = writing(
        [&](Store& store) -> Result<TakenOver> {
          auto known = store::take_over(store, shared_->setup, cluster_id);
          if (known && shared_->is_home) {
            if (auto made = make_state(store); !made) return tl::unexpected(made.error());
          }
          if (!known || !own_begins()) return known;
          auto there = store.columns_of(begun());
          if (!there) return tl::unexpected(there.error());
          auto begins = there->empty() ? store.make(begun()) : none_begun(store, nullptr);
          return begins ? std::move(known) : tl::unexpected(begins.error());
        },
        true);
    if (taken && taken->epoch > 0) epoch_ = taken->epoch;
    crash_point(CrashPoint::fenced);
    return taken;
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return writing([&](Store& store) -> Result<EnterResult> {
      auto entry = read_entry(store, owner(), nullptr);
      if (!entry) return tl::unexpected(entry.error());
      if (entry->epoch != epoch_ || entry->owner != owner().id)
        return Refused{*std::move(entry), 0};
      std::vector<Progress> all;
      for (const auto& start : starts) {
        auto entered = store::enter(store, shared_->setup, start, epoch_);
        if (!entered) return tl::unexpected(entered.error());
        all.push_back(*std::move(entered));
      }
      return all;
    });
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    // Writes the owner's row: whatever is still on its way has read it, and is over by then, or
    // fails.
    drop_connection();
    return writing([&](Store& store) -> Result<std::vector<LedgerEntry>> {
      auto row = read_owner(store, owner());
      if (!row) return tl::unexpected(row.error());
      if (*row) {
        if (auto put = write_owner(store, owner(), **row); !put) return tl::unexpected(put.error());
      }
      return read_entries(store, tasks);
    });
  }

  Result<std::vector<LedgerEntry>> look(std::span<const Task> tasks) override {
    return with_control(Access::reading, [&](Store& store) -> Result<std::vector<LedgerEntry>> {
      return read_entries(store, tasks);
    });
  }

  bool one_writer() const override { return shared_->setup.one_writer; }
  const Setup& setup() const override { return shared_->setup; }

  Result<Alive> keep_alive() override {
    return writing([&](Store& store) -> Result<Alive> {
      if (auto seen = touch(store, state_running, ""); !seen) return tl::unexpected(seen.error());
      auto entry = read_entry(store, owner(), nullptr);
      if (!entry) return tl::unexpected(entry.error());
      auto all = read_progress(store, owner());
      if (!all) return tl::unexpected(all.error());
      return Alive{*std::move(entry), *std::move(all)};
    });
  }

  Result<bool> trim() override {
    const auto hours = shared_->setup.options.keep_commits_hours;
    if (hours == 0) return false;
    return writing([&](Store& store) -> Result<bool> {
      auto now = store.now_ms();
      if (!now) return tl::unexpected(now.error());
      constexpr std::int64_t hour_ms = 3'600'000;
      constexpr std::size_t at_once = 1'000;
      const auto moment = moment_text(*now - hours * hour_ms);
      auto more = trim_history(store, owner(), moment, at_once);
      return more && shared_->is_home ? trim_state(store, moment, at_once, *more) : more;
    });
  }

  bool become_home() noexcept override { return shared_->is_home = shared_->setup.can_be_home; }

  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    return with_control(Access::reading, [&](Store& store) {
      return store::read_state(store, owner(), since, see);
    });
  }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<Session>(shared_);
  }

  void leave(const std::optional<std::string>& failure) noexcept override try {
    if (epoch_ < 0) return;
    // Also where this sink was interrupted, but then not for long.
    constexpr std::chrono::milliseconds patience{2'000};
    auto store = shared_->setup.open(std::make_shared<std::atomic<bool>>(false), patience);
    if (!store) return;
    constexpr std::size_t reason_bytes_max = 500;
    const auto reason = sanitise(failure.value_or(""), reason_bytes_max);
    (void)in_transaction(**store, Access::writing, [&] {
      return touch(**store, failure ? state_failed : state_stopped, reason);
    });
  } catch (const std::exception&) {  // best effort
  }

  void interrupt() noexcept override { *shared_->stop = true; }

 private:
  const Owner& owner() const { return shared_->owner(); }

  bool own_begins() const {
    return shared_->setup.own_begins && shared_->setup.options.table.empty();
  }

  Result<void> none_begun(Store& store, const TopicPartition* tp) const {
    return store::none_begun(store, owner(), tp, shared_->setup.place);
  }

  Result<std::vector<LedgerEntry>> read_entries(Store& store, std::span<const Task> tasks) const {
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) {
      if (own_begins()) {
        auto none = none_begun(store, &task.range.tp);
        if (!none) return tl::unexpected(none.error());
      }
      auto entry = read_entry(store, owner(), &task.range.tp);
      if (!entry) return tl::unexpected(entry.error());
      entries.push_back(*std::move(entry));
    }
    return entries;
  }

  Result<bool> trim_state(Store& store, const std::string& moment, std::size_t at_most, bool more) {
    auto versions = trim_versions(store, owner(), moment, at_most);
    if (!versions) return versions;
    more = more || *versions;
    // Looks at all rows: seldom.
    const auto now = std::chrono::steady_clock::now();
    if (now < look_for_gone_keys_) return more;
    auto keys = trim_gone_keys(store, owner(), at_most);
    if (!keys) return keys;
    if (!*keys) look_for_gone_keys_ = now + std::chrono::hours(1);
    return more || *keys;
  }

  void drop_connection() {
    const std::lock_guard lock(mutex_);
    control_.reset();
  }

  template <class Action>
  auto writing(Action action, bool set_up = false) -> decltype(action(std::declval<Store&>())) {
    return with_control(Access::writing, action, set_up);
  }

  /// In a transaction on the connection for all that is not of a task; a new one where it was lost.
  template <class Action>
  auto with_control(Access access, Action action, bool set_up = false)
      -> decltype(action(std::declval<Store&>())) {
    if (*shared_->stop) return tl::unexpected(interrupted());
    const std::lock_guard lock(mutex_);
    if (!control_) {
      auto opened = shared_->setup.open(shared_->stop, std::nullopt);
      if (!opened) return tl::unexpected(opened.error());
      control_ = *std::move(opened);
    }
    if (set_up) {
      if (auto done = control_->set_up(); !done) return tl::unexpected(done.error());
    }
    auto result = in_transaction(*control_, access, [&] { return action(*control_); });
    if (!result && result.error().kind == ErrorKind::unavailable) control_.reset();
    return result;
  }

  /// Says of us, while the output is ours, that we are there, and how it is.
  Result<void> touch(Store& store, std::string_view state, const std::string& reason) {
    auto row = read_owner(store, owner());
    if (!row) return tl::unexpected(row.error());
    if (!*row || (*row)->epoch != epoch_ || (*row)->id != owner().id) return {};
    auto now = store.now_ms();
    if (!now) return tl::unexpected(now.error());
    (*row)->seen_at = moment_text(*now);
    (*row)->state = state;
    (*row)->reason = reason;
    return write_owner(store, owner(), **row);
  }

  std::shared_ptr<Shared> shared_;
  std::mutex mutex_;
  std::unique_ptr<Store> control_;                            ///< guarded by mutex_
  std::chrono::steady_clock::time_point look_for_gone_keys_;  ///< guarded by mutex_
  std::atomic<std::int64_t> epoch_{-1};                       ///< of the last take-over
};

}  // namespace

namespace {

Result<std::unique_ptr<StoreSink>> make(Setup setup) {
  auto shared = std::make_shared<Shared>();
  shared->setup = std::move(setup);
  auto control = shared->setup.open(shared->stop, std::nullopt);
  if (!control) return tl::unexpected(control.error());
  // As a session will: so that what is wrong with the mapping is said before anything is fenced.
  if (!shared->setup.options.table.empty()) {
    auto loader = Loader::make(**control, shared->setup);
    if (!loader) return tl::unexpected(loader.error());
  }
  return std::make_unique<StoreSink>(std::move(shared), *std::move(control));
}

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(Setup setup) {
  auto made = make(std::move(setup));
  if (!made) return tl::unexpected(made.error());
  return *std::move(made);
}

Result<std::unique_ptr<TransactionLedger>> make_ledger(Setup setup) {
  auto made = make(std::move(setup));
  if (!made) return tl::unexpected(made.error());
  return *std::move(made);
}

}  // namespace semel::store
