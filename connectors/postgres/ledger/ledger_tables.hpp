// The ledger's tables in a database: in what state they are, making them and bringing them up.
#pragma once

#include <string>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/ledger/ledger_ddl.hpp"
#include "postgres/options.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Which of the tables exist, of what version, and what the role lacks on them; for people.
struct LedgerState {
  bool schema_exists = false;
  std::vector<std::string> missing;  ///< their names
  std::string lacking;               ///< privileges, comma separated: "UPDATE on semel_progress"
  int version = 0;                   ///< 0: there are none
  std::vector<WeakPart> weak_parts;

  std::string missing_names() const;  ///< comma separated
  bool outdated() const { return version > 0 && version < ledger_version; }
};
Result<LedgerState> inspect_ledger(Connection& connection, const Options& options,
                                   const LedgerTables& tables);

/// A ledger of a later version is refused, by name: what this semel would write there is not known
/// to be right.
Result<void> understood(const LedgerState& state, const LedgerTables& tables);
/// And so is one that a crash would empty, where `delivery` is more than that holds.
Result<void> usable(const LedgerState& state, const LedgerTables& tables, Delivery delivery);

/// Makes what is missing, and brings up what is of an earlier version, where options.create_ledger
/// allows it. Several may do so at once. Ends sessions of this output that hold it up. Fatal with a
/// remedy where it may not be done, where the ledger is of a later version, or where it has lost
/// what it knew of the pipeline.
Result<void> ensure_ledger(Connection& connection, const Shared& shared);

}  // namespace semel::postgres
