// The sink: what all sessions of an output share, and the control connection.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <atomic>
#include <mutex>
#include <utility>

#include "postgres/backends.hpp"
#include "postgres/guard.hpp"
#include "postgres/ledger_tables.hpp"
#include "postgres/owner.hpp"
#include "postgres/postgres.hpp"
#include "postgres/session.hpp"
#include "postgres/shared.hpp"
#include "postgres/target.hpp"

namespace semel::postgres {

namespace {

class PostgresSink final : public Sink {
 public:
  PostgresSink(std::shared_ptr<Shared> shared, std::unique_ptr<Connection> control)
      : shared_(std::move(shared)), control_(std::move(control)) {}

  ~PostgresSink() override {
    if (epoch_ > 0 && control_ && control_->is_alive() && !shared_->interrupter->interrupted()) {
      say_goodbye(*control_, *shared_, epoch_);
    }
  }

  Guarantee guarantee() const override {
    return shared_->options.delivery == Delivery::exactly_once ? Guarantee::transactional
                                                               : Guarantee::none;
  }

  Result<Claim> take_over(const std::string& cluster_id) override {
    return with_control([&](Connection& control) -> Result<Claim> {
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
      auto claim = postgres::take_over(control, *shared_, cluster_id);
      if (claim) epoch_ = claim->epoch;
      return claim;
    });
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return with_control(
        [&](Connection& control) { return postgres::enter(control, *shared_, epoch_, starts); });
  }

  Result<LedgerEntry> settle(const Task& task) override {
    const std::lock_guard lock(mutex_);
    // A new connection: the old one may lead to a server that is no primary any more.
    auto opened = open();
    if (!opened) return tl::unexpected(opened.error());
    control_ = *std::move(opened);
    const auto& source = task.range.source;
    if (const int backend = shared_->doubts.backend(source); backend != 0) {
      // Where it is not ours to end, the ledger's answer may still change, but then the
      // compare-and-set of the retry decides.
      auto ended = end_ours(*control_, same_backend(backend, shared_->name.full),
                            fmt::format("a commit of {} is in doubt", to_string(source)));
      if (!ended) return tl::unexpected(ended.error());
    }
    auto entry = ask_entry(*control_, *shared_, source);
    if (entry) shared_->doubts.settled(source);
    return entry;
  }

  Result<Alive> keep_alive() override {
    return with_control(
        [&](Connection& control) { return postgres::keep_alive(control, *shared_, epoch_); });
  }

  Result<void> trim() override {
    return with_control([&](Connection& control) { return postgres::trim(control, *shared_); });
  }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::unique_ptr<SinkSession>(std::make_unique<Session>(shared_));
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
    if (!ended->refused.empty()) spdlog::warn("{}", describe_left(*ended));
    return {};
  }

  Result<std::unique_ptr<Connection>> open() {
    return Connection::open(shared_->options, shared_->name.full, shared_->interrupter);
  }

  template <class Action>
  auto with_control(Action action) -> decltype(action(std::declval<Connection&>())) {
    const std::lock_guard lock(mutex_);
    if (control_ && !control_->is_alive()) control_.reset();
    if (!control_) {
      auto opened = open();
      if (!opened) return tl::unexpected(opened.error());
      control_ = *std::move(opened);
    }
    return action(*control_);
  }

  std::shared_ptr<Shared> shared_;
  std::mutex mutex_;  ///< guards control_
  std::unique_ptr<Connection> control_;
  bool tried_ = false;                   ///< to take over; guarded by mutex_
  std::atomic<std::int64_t> epoch_{-1};  ///< of the last take-over; -1 before the first
};

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const Options& options, const Owner& owner) {
  auto shared = std::make_shared<Shared>();
  shared->options = options;
  shared->owner = owner;
  shared->name = application_name(options, owner);
  auto connection = Connection::open(options, shared->name.full, shared->interrupter);
  if (!connection) return tl::unexpected(connection.error());
  // As a session will: so that what is wrong with the mapping is said before anything is fenced.
  if (auto target = describe_target(**connection, options); !target) {
    return tl::unexpected(target.error());
  }
  auto tables = locate_ledger(**connection, options);
  if (!tables) return tl::unexpected(tables.error());
  shared->tables = *std::move(tables);
  return std::unique_ptr<Sink>(
      std::make_unique<PostgresSink>(std::move(shared), *std::move(connection)));
}

}  // namespace semel::postgres
