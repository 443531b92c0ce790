// What a pipeline will do in the database, tried in a transaction that is rolled back: so the
// server itself says what it would refuse, in the statements that `semel run` sends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/client/connection.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/session/tables.hpp"

namespace semel::postgres {

/// Nothing of it stays: rows, tables and prepared names go with the transaction, and numbers are
/// not taken from sequences. Locks are waited for briefly. Not thread safe; the connection must be
/// outside a transaction, and is again after the destructor. `shared` names an owner that nobody
/// else is (rehearsing()).
class Rehearsal {
 public:
  Rehearsal(Connection& connection, const Shared& shared)
      : connection_(connection), shared_(shared) {}
  ~Rehearsal() { connection_.roll_back(); }
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  // Each says what the server has against it; ok() where nothing. After a reply that is lost
  // nothing else can be asked.

  Reply begin();
  /// Makes the ledger tables; needed where they do not exist.
  Reply make_ledger(bool with_schema);
  /// Take-over, the first position, a commit's move, keep-alive, trimming, taking leave. `tables`
  /// as in Advance.
  Reply move_ledger(const std::vector<const Table*>& tables);
  Reply set_aside();
  /// Defaults as they are evaluated for each transaction, and a COPY that brings no row: the
  /// server looks at rights, kind of table, row security and statement triggers before the first.
  Reply write_rows(const OpenTable& target);

 private:
  /// In a savepoint; `rows` where a COPY is among the statements.
  Reply attempt(const std::string& statements, std::string_view rows = "");

  Connection& connection_;
  const Shared& shared_;
};

/// An owner that no pipeline can be, of this connection's own.
std::unique_ptr<Shared> rehearsing(const Connection& connection, const Options& options,
                                   LedgerTables tables);

/// Evaluates the defaults that are left to the server, where nothing can be written: what the role
/// may not use (a sequence, for example) is refused before anything is taken from it.
std::optional<ServerError> refused_default(Connection& connection, const Column& column);

}  // namespace semel::postgres
