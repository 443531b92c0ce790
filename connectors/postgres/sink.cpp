// The sink: what all sessions of an output share, and the control connection.
#include <fmt/format.h>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <utility>

#include "postgres/client/backends.hpp"
#include "postgres/ledger/ledger_place.hpp"
#include "postgres/ledger/ledger_tables.hpp"
#include "postgres/ledger/owner.hpp"
#include "postgres/ledger/state_rows.hpp"
#include "postgres/own/own_transaction.hpp"
#include "postgres/postgres.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/session.hpp"
#include "postgres/session/session_pool.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr std::int64_t leave_timeout_ms = 2'000;

class PostgresSink final : public LedgerOfOurs {
 public:
  PostgresSink(std::shared_ptr<Shared> shared, const LedgerPlace& place, bool utf8)
      : shared_(std::move(shared)), utf8_(utf8), known_(place.known), notes_(place.notes) {}

  Guarantee guarantee() const override {
    return shared_->options.delivery == Delivery::exactly_once ? Guarantee::transactional
                                                               : Guarantee::none;
  }

  std::int64_t patience_ms() const override { return row_patience(shared_->options).count(); }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    return with_control([&](Connection& control) -> Result<TakenOver> {
      if (auto made = ensure_ledger(control, *shared_); !made) {
        return tl::unexpected(made.error());
      }
      // One whose answer was lost may still be under way, and would fence us later (or whoever took
      // over since); so may a commit that was given up. No task is running now, and sessions that
      // were ended connect again.
      if (std::exchange(tried_, true)) {
        auto ended = end_ours(control, all_named(shared_->name.full), "taking over again");
        if (!ended) return tl::unexpected(ended.error());
      }
      auto taken = postgres::take_over(control, *shared_, cluster_id);
      if (!taken) return taken;
      epoch_ = taken->epoch;
      // Two that started for the first time at once, by different search paths, did not see each
      // other; the second to come here does.
      if (!std::exchange(known_, true)) {
        auto place = locate_ledger(control, shared_->options, shared_->owner);
        if (!place) return tl::unexpected(place.error());
      }
      taken->notes.insert(taken->notes.end(), notes_.begin(), notes_.end());
      notes_.clear();
      return taken;
    });
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return with_control(
        [&](Connection& control) { return postgres::enter(control, *shared_, epoch_, starts); });
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    // A new connection: the old one may lead to a server that is no primary any more.
    return with_control(
        [&](Connection& control) -> Result<std::vector<LedgerEntry>> {
          return resolve(control, tasks);
        },
        SessionPool::Wish::fresh);
  }

  Result<std::vector<LedgerEntry>> resolve(Connection& control, std::span<const Task> tasks) {
    std::set<int> backends;
    for (const auto& task : tasks) {
      if (!shared_->options.writes_rows()) {
        auto ended = end_ours(control, all_named(session_name(*shared_, task)),
                              fmt::format("a commit of {} is in doubt", to_string(task.range)));
        if (!ended) return tl::unexpected(ended.error());
      }
      const int backend = shared_->doubts.backend(task.range.tp);
      if (backend == 0 || !backends.insert(backend).second) continue;
      // Where it is not ours to end, the ledger's answer may still change, but then the
      // compare-and-set of the retry decides.
      auto ended = end_ours(control, same_backend(backend, shared_->name.full),
                            fmt::format("a commit of {} is in doubt", to_string(task.range.tp)));
      if (!ended) return tl::unexpected(ended.error());
    }
    auto entries = ask_entries(control, *shared_, tasks);
    if (entries) {
      for (const auto& task : tasks) shared_->doubts.resolved(task.range.tp);
    }
    return entries;
  }

  Result<std::vector<LedgerEntry>> look(std::span<const Task> tasks) override {
    return with_control([&](Connection& control) { return ask_entries(control, *shared_, tasks); });
  }

  bool one_writer() const override { return false; }
  const Shared& shared() const override { return *shared_; }
  bool utf8() const override { return utf8_; }

  Result<Alive> keep_alive() override {
    return with_control(
        [&](Connection& control) { return postgres::keep_alive(control, *shared_, epoch_); });
  }

  Result<bool> trim() override {
    return with_control([&](Connection& control) -> Result<bool> {
      auto more = postgres::trim(control, *shared_);
      if (!more) return more;
      const auto more_letters = trim_letters(control, *shared_);
      if (!more_letters) return more_letters;
      *more = *more || *more_letters;
      if (!shared_->options.is_home) return more;
      // Looks at all rows: seldom.
      const auto now = std::chrono::steady_clock::now();
      const bool gone_keys = now >= look_for_gone_keys_;
      auto of_state = trim_state(control, *shared_, gone_keys);
      if (!of_state) return of_state;
      if (gone_keys && !*of_state) look_for_gone_keys_ = now + std::chrono::hours(1);
      return *more || *of_state;
    });
  }

  bool become_home() noexcept override {
    return shared_->options.is_home = shared_->options.delivery == Delivery::exactly_once;
  }

  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    return with_control(
        [&](Connection& control) { return postgres::read_state(control, *shared_, since, see); });
  }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::unique_ptr<SinkSession>(std::make_unique<Session>(shared_));
  }

  void leave(const std::optional<std::string>& failure) noexcept override try {
    if (epoch_ <= 0) return;
    if (!shared_->interrupter->interrupted()) {
      if (const auto session = shared_->sessions->idle()) {
        say_goodbye(*session->connection, *shared_, epoch_, failure);
        return;
      }
    }
    auto options = shared_->options;
    options.connect_timeout_ms = std::min(options.connect_timeout_ms, leave_timeout_ms);
    auto opened = Connection::open(options, shared_->name.full, std::make_shared<Interrupter>());
    if (opened) say_goodbye(**opened, *shared_, epoch_, failure);
  } catch (const std::exception& error) {
    shared_->options.log.debug("the owner's row does not say how it ended: {}", error.what());
  }

  void interrupt() noexcept override { shared_->interrupter->interrupt(); }

 private:
  /// Ends sessions of our own and waits until they are gone. Those that we may not end are told.
  Result<void> end_ours(Connection& control, const std::string& condition, const std::string& why) {
    const auto ended = end_backends(control, condition);
    if (!ended) return tl::unexpected(ended.error());
    if (!ended->living.empty()) {
      return fail(ErrorKind::unavailable, Cause::sink,
                  fmt::format("{}: {}", why, describe_left(*ended)));
    }
    if (!ended->refused.empty()) shared_->options.log.warn("{}", describe_left(*ended));
    return {};
  }

  template <class Action>
  auto with_control(Action action, SessionPool::Wish wish = SessionPool::Wish::first)
      -> decltype(action(std::declval<Connection&>())) {
    const std::lock_guard lock(mutex_);
    auto session = shared_->sessions->take(wish, control_id_);
    if (!session) return tl::unexpected(session.error());
    control_id_ = session->id;
    auto result = action(*session->connection);
    shared_->sessions->park(*std::move(session));
    return result;
  }

  std::shared_ptr<Shared> shared_;
  bool utf8_;
  std::mutex mutex_;
  std::uint64_t control_id_ = 0;    ///< of the session used last; guarded by mutex_
  bool known_ = false;              ///< the ledger knew the pipeline; guarded by mutex_
  std::vector<std::string> notes_;  ///< for the first take-over; guarded by mutex_
  bool tried_ = false;              ///< to take over; guarded by mutex_
  std::chrono::steady_clock::time_point look_for_gone_keys_;  ///< guarded by mutex_
  std::atomic<std::int64_t> epoch_{-1};  ///< of the last take-over; -1 before the first
};

}  // namespace

namespace {

Result<std::unique_ptr<PostgresSink>> make(const Options& options, const Owner& owner) {
  auto shared = std::make_shared<Shared>();
  shared->options = options;
  shared->owner = owner;
  // Its name says nothing yet: the ledger decides what all others are called.
  auto connection = Connection::open(options, "semel starting", shared->interrupter);
  if (!connection) return tl::unexpected(connection.error());
  // As a session will: so that what is wrong with the mapping is said before anything is fenced.
  if (options.writes_rows()) {
    Tables tables(options);
    const auto described = tables.describe_known(options.topics, [&](const Tables::Wanted& wanted) {
      return open_table(**connection, *shared, wanted);
    });
    if (!described) return tl::unexpected(described.error());
  }
  auto place = locate_ledger(**connection, options, owner);
  if (!place) return tl::unexpected(place.error());
  const bool utf8 = (*connection)->server_speaks_utf8();
  connection->reset();
  shared->tables = place->tables;
  shared->job = place->job;
  shared->name = application_name(shared->tables, owner);
  shared->sessions =
      std::make_unique<SessionPool>(shared->options, shared->name.full, shared->interrupter);
  return std::make_unique<PostgresSink>(std::move(shared), *place, utf8);
}

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const Options& options, const Owner& owner) {
  auto made = make(options, owner);
  if (!made) return tl::unexpected(made.error());
  return *std::move(made);
}

Result<std::unique_ptr<TransactionLedger>> make_ledger(const Options& options, const Owner& owner) {
  auto made = make(options, owner);
  if (!made) return tl::unexpected(made.error());
  return *std::move(made);
}

}  // namespace semel::postgres
