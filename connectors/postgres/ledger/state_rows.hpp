// What a stream's pipeline remembers, in the tables of its home (state_tables in ledger_ddl.cpp).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <semel/sink.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/session/shared.hpp"

namespace semel::postgres {

/// A change of the state, encoded: what is sent in a transaction.
class StateRows {
 public:
  void clear() { change_.reset(); }
  void set(const StateChange& change);
  bool empty() const { return !change_; }
  /// Many rows a statement, in the order of their keys. ok() where nothing is set.
  Reply send(Connection& connection, const Shared& shared, std::chrono::milliseconds patience);

 private:
  /// Two arrays of bytea as parameters.
  struct Piece {
    std::string keys;
    std::string values;
  };
  struct Encoded {
    StateVersion version;
    bool all = false;
    std::vector<Piece> pieces;  ///< at least one
  };

  std::optional<Encoded> change_;
};

/// See Sink::read_state.
Result<StateRead> read_state(Connection& connection, const Shared& shared,
                             const StateVersion& since, const Sink::SeeState& see);

/// See Sink::trim: versions that are old enough, and `gone_keys`, for which it looks at all rows:
/// rows of keys that are gone and that no version of the history asks for. True: there are more.
Result<bool> trim_state(Connection& connection, const Shared& shared, bool gone_keys);

}  // namespace semel::postgres
