// The sessions of PostgreSQL that an output has, however few the server allows: whoever has nothing
// to do leaves its own here, and whoever cannot open one takes turns.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "postgres/client/connection.hpp"

namespace semel::postgres {

/// A connection, and what has to be known of it to go on with it.
struct PooledSession {
  std::unique_ptr<Connection> connection;
  std::uint64_t id = 0;     ///< never the same twice; 0: none
  bool shared_out = false;  ///< a proxy deals the server's sessions out: the next may be another
  bool may_prepare = false;
  std::string prepared;  ///< the guard that is prepared on it; empty: none
};

/// Thread safe. A session that was taken is given back with park(), or dropped.
class SessionPool {
 public:
  SessionPool(const Options& options, std::string application_name,
              std::shared_ptr<Interrupter> interrupter);

  enum class Wish : std::uint8_t {
    now,    ///< what is there or can be opened; otherwise the reason
    turn,   ///< waits where the server allows no more
    first,  ///< the same, before all others: the ledger
    fresh,  ///< as `first`, but one that is opened now: old ones may lead to a former primary
  };
  /// An idle one (`id`, where it is there), or a new one. Waits for a bounded time, and not at all
  /// once interrupted.
  Result<PooledSession> take(Wish wish, std::uint64_t id = 0);
  void park(PooledSession session) noexcept;
  /// One that nobody uses, `id` where that is there; none is opened.
  std::optional<PooledSession> idle(std::uint64_t id = 0);

 private:
  struct Waiter {
    bool first = false;
    std::optional<PooledSession> handed;
  };
  /// How many connections live; it outlives the pool.
  struct Living {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t count = 0;
  };

  Result<PooledSession> open();
  std::optional<PooledSession> wait_for_turn(std::unique_lock<std::mutex>& lock, bool first,
                                             std::chrono::steady_clock::time_point until);

  const Options& options_;
  const std::string application_name_;
  const std::shared_ptr<Interrupter> interrupter_;
  const std::shared_ptr<Living> living_ = std::make_shared<Living>();

  // Guarded by living_->mutex:
  std::vector<PooledSession> idle_;
  std::list<Waiter*> waiters_;
  std::size_t opening_ = 0;
  std::optional<std::size_t> cap_;  ///< so many were there when one more was refused
  std::chrono::steady_clock::time_point cap_until_;
  std::uint64_t last_id_ = 0;
  bool was_let_in_ = false;  ///< with this configuration
  bool told_ = false;
};

}  // namespace semel::postgres
