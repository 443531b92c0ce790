// A connection that libpqxx owns around a PGconn that we opened, for libpqxx 6.4 and 7.x. What is
// sent goes through libpq, where every wait has a bound.
#pragma once

#include <libpq-fe.h>
#include <pqxx/pqxx>
#include <utility>

namespace semel::postgres {

#if PQXX_VERSION_MAJOR >= 7

class PqxxHandle {
 public:
  explicit PqxxHandle(PGconn* opened)
      : connection_(pqxx::connection::seize_raw_connection(opened)) {}

 private:
  pqxx::connection connection_;
};

#else

/// Gives libpqxx the connection once. It would reconnect by itself after a loss, and a final
/// message sent again there would move the ledger without the rows.
class AdoptOnce : public pqxx::connectionpolicy {
 public:
  explicit AdoptOnce(PGconn* opened) : pqxx::connectionpolicy(""), opened_(opened) {}
  handle do_startconnect(handle current) override {
    return current != nullptr ? current : std::exchange(opened_, nullptr);
  }
  handle do_completeconnect(handle current) override { return current; }

 private:
  PGconn* opened_;
};

class PqxxHandle {
 public:
  explicit PqxxHandle(PGconn* opened) : policy_(opened), connection_(policy_) {}

 private:
  struct Connection : pqxx::connection_base {
    explicit Connection(AdoptOnce& policy) : pqxx::connection_base(policy) {
      init();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
      inhibit_reactivation(true);
#pragma GCC diagnostic pop
    }
    ~Connection() noexcept {
      close();
    }
  };
  AdoptOnce policy_;
  Connection connection_;
};

#endif

}  // namespace semel::postgres
