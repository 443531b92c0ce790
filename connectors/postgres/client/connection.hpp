// One session of PostgreSQL: opened by us, owned by libpqxx, never reconnected. Every wait has a
// bound and ends when the sink is interrupted.
#pragma once

#include <libpq-fe.h>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/interrupter.hpp"
#include "postgres/client/reply.hpp"
#include "postgres/options.hpp"

namespace semel::postgres {

class PqxxHandle;

/// For statements that touch only the ledger or the catalogue.
constexpr std::chrono::milliseconds control_patience{30'000};

/// Not thread safe. After a loss it stays lost: open another one.
class Connection {
 public:
  /// `application_name` tells people and successors whose session it is. With several hosts in the
  /// DSN the primary is chosen.
  static Result<std::unique_ptr<Connection>> open(const Options& options,
                                                  const std::string& application_name,
                                                  std::shared_ptr<Interrupter> interrupter);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends one simple-query message and reads everything that comes back.
  Reply exchange(const std::string& sql, std::chrono::milliseconds patience = control_patience);
  /// One statement with parameters in binary, of the types that their places have; nullptr: NULL.
  Reply exchange(const std::string& sql, const std::vector<const char*>& values,
                 const std::vector<int>& lengths, std::chrono::milliseconds patience);
  /// The first one, with errors as values; `doing` as in to_error().
  Result<Reply> run(const std::string& sql, std::string_view doing,
                    std::chrono::milliseconds patience = control_patience);

  /// Sends without waiting. False: the session is lost, and receive() says why.
  bool send(const std::string& sql);
  Reply receive(std::chrono::milliseconds patience);

  /// A piece of COPY's stream; waits while the server does not take it. False: as send().
  bool put(std::string_view bytes, std::chrono::milliseconds patience);
  /// Ends COPY; the server's answer comes with receive(). A `failure` makes the server refuse it.
  bool put_end(const char* failure, std::chrono::milliseconds patience);

  /// Whoever waits for longer than `first` at once calls `tell`, and again at intervals that
  /// double. It must be brief, and not use this connection. Until the next call of this; empty:
  /// nothing.
  using OnSilence = std::function<void(std::chrono::milliseconds waited)>;
  void on_silence(std::chrono::milliseconds first, OnSilence tell);

  /// Leaves a transaction, whatever state it is in. False: the session had to be given up.
  bool roll_back() noexcept;

  /// Nothing is known to be wrong with the session.
  bool usable() const;
  void give_up(std::string why);
  /// Looks at an idle session without waiting: one that ended meanwhile is noticed before use.
  bool is_alive();

  /// The server process as the server counts it (behind a proxy: the last one known).
  int backend() const { return backend_; }
  void set_backend(int pid) { backend_ = pid; }
  /// As it was told at the login: behind a proxy that shares sessions out, none of the server's.
  int backend_at_login() const { return PQbackendPID(handle_); }

  int server_version() const { return PQserverVersion(handle_); }
  bool server_speaks_utf8() const;
  /// "as app to shop on db.example:5432": never a secret.
  std::string where() const;

  /// Lives as long as the session.
  /// What the settings of the session are called.
  const SettingNames& names() const { return names_; }

  void keep(std::shared_ptr<void> what) { kept_ = std::move(what); }

 private:
  Connection(PGconn* opened, std::shared_ptr<Interrupter> interrupter, const SettingNames& names);
  /// Until when, from now.
  std::chrono::steady_clock::time_point begin_to_wait(std::chrono::milliseconds patience);
  void tell_silence(std::chrono::steady_clock::time_point now);
  bool wait(short events, std::chrono::steady_clock::time_point until);
  bool flush(std::chrono::steady_clock::time_point until);

  std::shared_ptr<void> kept_;  ///< first, so that it goes last
  PGconn* handle_;              ///< owned by pqxx_
  std::unique_ptr<PqxxHandle> pqxx_;
  std::shared_ptr<Interrupter> interrupter_;
  Interrupter::CancelKey cancel_;
  std::string broken_;  ///< why it is lost; empty: it is not
  int backend_ = 0;
  SettingNames names_;
  OnSilence tell_;
  std::chrono::milliseconds tell_first_{0};
  std::chrono::steady_clock::time_point waits_since_;
  std::chrono::steady_clock::time_point tell_at_;
};

/// What a reply that is not ok() means.
Error to_error(const Reply& reply, std::string_view doing);

}  // namespace semel::postgres
