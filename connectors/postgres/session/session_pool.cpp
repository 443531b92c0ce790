#include "postgres/session/session_pool.hpp"

#include <algorithm>
#include <utility>

namespace semel::postgres {

namespace {

using Clock = std::chrono::steady_clock;

// One turn is a range at most. Whoever has waited in vain is tried again by the retries of tasks.
constexpr auto turn_patience = std::chrono::seconds(60);
// What was refused is asked for again from time to time: the limit may have been raised.
constexpr auto cap_holds = std::chrono::seconds(30);
constexpr auto look_again = std::chrono::milliseconds(100);

}  // namespace

SessionPool::SessionPool(const Options& options, std::string application_name,
                         std::shared_ptr<Interrupter> interrupter)
    : options_(options),
      application_name_(std::move(application_name)),
      interrupter_(std::move(interrupter)) {}

Result<PooledSession> SessionPool::open() {
  auto opened = Connection::open(options_, application_name_, interrupter_);
  if (!opened) return tl::unexpected(opened.error());
  PooledSession session{.connection = *std::move(opened)};
  // Behind a proxy the login may be answered long before one of the server's sessions is free.
  auto reply = session.connection->run("SELECT pg_backend_pid()", "asking for the server's process",
                                       std::chrono::milliseconds(options_.connect_timeout_ms));
  if (!reply) return tl::unexpected(reply.error());
  // Such a proxy invents the process that it tells at the login: it is the key for cancelling.
  session.shared_out = reply->table(0).number(0, 0) != session.connection->backend_at_login();
  // There, what is prepared stays with strangers, and the next transaction does not find it.
  session.may_prepare = !session.shared_out && options_.delivery == Delivery::exactly_once;
  return session;
}

std::optional<PooledSession> SessionPool::idle(std::uint64_t id) {
  // Connections are dropped outside of the lock: their end is told to living_.
  std::vector<PooledSession> dead;
  const std::lock_guard lock(living_->mutex);
  while (!idle_.empty()) {
    auto found = std::ranges::find(idle_, id, &PooledSession::id);
    if (found == idle_.end()) found = std::prev(idle_.end());
    auto session = std::move(*found);
    idle_.erase(found);
    if (session.connection->is_alive()) return session;
    dead.push_back(std::move(session));
  }
  return std::nullopt;
}

std::optional<PooledSession> SessionPool::wait_for_turn(std::unique_lock<std::mutex>& lock,
                                                        bool first, Clock::time_point until) {
  Waiter waiter{.first = first};
  const auto behind =
      std::ranges::find_if(waiters_, [&](const Waiter* other) { return first && !other->first; });
  const auto place = waiters_.insert(first ? behind : waiters_.end(), &waiter);
  const auto over = [&] {
    return waiter.handed || !cap_ || living_->count + opening_ < *cap_ ||
           interrupter_->interrupted();
  };
  while (!over() && Clock::now() < until) living_->changed.wait_for(lock, look_again);
  waiters_.erase(place);
  return std::move(waiter.handed);
}

Result<PooledSession> SessionPool::take(Wish wish, std::uint64_t id) {
  const auto until = Clock::now() + turn_patience;
  Error refused{ErrorKind::unavailable, Cause::sink, "interrupted, because the pipeline ends"};
  bool opened_before = false;
  while (!interrupter_->interrupted()) {
    if (auto session = idle(id)) {
      if (wish != Wish::fresh) return *std::move(session);
      continue;  // it is dropped, and so are the others
    }
    std::unique_lock lock(living_->mutex);
    if (cap_ && Clock::now() > cap_until_) cap_.reset();
    if (!cap_ || living_->count + opening_ < *cap_) {
      ++opening_;
      lock.unlock();
      auto session = open();
      lock.lock();
      --opening_;
      if (session) {
        was_let_in_ = true;
        session->id = ++last_id_;
        ++living_->count;
        lock.unlock();
        session->connection->keep({nullptr, [living = living_](std::nullptr_t) {
                                     const std::lock_guard one_less(living->mutex);
                                     --living->count;
                                     living->changed.notify_all();
                                   }});
        return session;
      }
      refused = session.error();
      if (was_let_in_ && refused.cause == Cause::configuration) {
        // It was good enough before: the server has changed, or what stands before it.
        refused.kind = ErrorKind::unavailable;
        refused.cause = Cause::sink;
      } else if (was_let_in_ && refused.kind == ErrorKind::fatal) {
        // So was the login: somebody may be about to give it back.
        refused.kind = ErrorKind::retriable;
      }
      // With others that live, the reason may be that there are too many. What it is called depends
      // on server and proxy.
      const auto others = living_->count;
      if (refused.kind != ErrorKind::unavailable || others == 0) return tl::unexpected(refused);
      if (!idle_.empty()) continue;
      cap_ = others;
      cap_until_ = Clock::now() + cap_holds;
      opened_before = true;
      continue;
    }
    if (wish == Wish::now || Clock::now() >= until) break;
    if (auto session = wait_for_turn(lock, wish != Wish::turn, until)) {
      if (!std::exchange(told_, true)) {
        options_.log.warn(
            "PostgreSQL lets this pipeline have {} sessions, and more are wanted: executors take "
            "turns. `semel check` shows the limits",
            living_->count);
      }
      if (wish != Wish::fresh) return *std::move(session);
      lock.unlock();  // the end of the session is told under it
    }
  }
  if (!opened_before && !interrupter_->interrupted()) {
    refused.message =
        "all sessions that PostgreSQL lets this pipeline have are in use. Raise the limit of the "
        "role, database, server or proxy, or lower executors";
  }
  return tl::unexpected(refused);
}

void SessionPool::park(PooledSession session) noexcept try {
  if (!session.connection || !session.connection->usable()) return;
  const std::lock_guard lock(living_->mutex);
  for (auto* waiter : waiters_) {
    if (waiter->handed) continue;
    waiter->handed = std::move(session);
    living_->changed.notify_all();
    return;
  }
  idle_.push_back(std::move(session));
  living_->changed.notify_all();
} catch (...) {
  // No memory: the session is closed.
}

}  // namespace semel::postgres
