// Which ledger is a pipeline's: found by the whole search path and by what the database knows of
// the pipeline, never by where a new one would be made.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/client/job.hpp"
#include "postgres/ledger/ledger_ddl.hpp"
#include "postgres/options.hpp"

namespace semel::postgres {

/// A table of owners that this database has, as it looks to us.
struct LedgerSeen {
  std::string schema;
  std::string owners_table;
  int place = 0;           ///< of its schema in the search path, from 1; 0: not on it
  bool readable = false;   ///< we may look into it
  bool holds = false;      ///< the pipeline has progress or a history in it, or runs on it
  std::optional<Job> job;  ///< of the pipeline's row, if it has one
};

struct LedgerWanted {
  std::string pipeline;
  std::string schema;  ///< as configured; empty: to be found
  std::string owners_table;
  std::string first_schema;  ///< of the search path: where a new one would be made
  Job job;
  std::string called_schema = "sink.postgres.ledger.schema";  ///< the setting, for people
};

struct LedgerChoice {
  std::string schema;
  std::optional<Job> job;  ///< that the ledger remembers; absent: it does not know the pipeline
  bool holds = false;
};

/// Fatal (Cause::configuration), naming the other ledger, where using one of them would store the
/// same records twice, or where that cannot be known.
Result<LedgerChoice> choose_ledger(const LedgerWanted& wanted, std::span<const LedgerSeen> seen);

/// Fatal, naming both, where the pipeline has written into another table so far.
Result<void> same_target(const LedgerChoice& choice, const LedgerWanted& wanted);

struct LedgerPlace {
  LedgerTables tables;
  bool known = false;              ///< the pipeline has been here
  Job job;                         ///< as it is now
  std::vector<std::string> notes;  ///< what has changed since the last run; for people
  /// What same_target() says, where the options accept another table.
  std::optional<Error> other_target;
};

/// Looks for the ledger of `owner`'s output on `connection`; changes nothing. A pipeline that goes
/// on into another table is refused unless the options accept it.
Result<LedgerPlace> locate_ledger(Connection& connection, const Options& options,
                                  const Owner& owner);

}  // namespace semel::postgres
