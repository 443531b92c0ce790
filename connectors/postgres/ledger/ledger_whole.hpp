// Whether a ledger is still all that it was for a pipeline. What it has lost is no beginning: who
// takes it for one stores everything again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/ledger/ledger_tables.hpp"

namespace semel::postgres {

/// A partition whose history ends elsewhere than where its progress stands. Both move in one
/// transaction, and what forgets a position says so in the history.
struct TornHistory {
  TopicPartition tp;
  Offset ends = 0;
  std::optional<Offset> stands;
};

/// What is left of a pipeline, of one moment.
struct LedgerTraces {
  bool owned = false;             ///< it has taken the output over
  bool stands = false;            ///< it has progress in some partition
  bool moved = false;             ///< the history knows it
  std::vector<TornHistory> torn;  ///< in (topic, partition) order

  bool known() const { return owned || stands || moved; }
};

/// Fatal (Cause::sink), saying what is gone and how to go on, where the pipeline has been in this
/// ledger and the ledger lacks a table, a position or the owner.
Result<void> ledger_is_whole(const LedgerState& state, const LedgerTables& tables,
                             const std::string& pipeline, const LedgerTraces& traces);

/// Looks, and decides so. Changes nothing.
Result<void> look_whether_whole(Connection& connection, const LedgerState& state,
                                const Options& options, const LedgerTables& tables,
                                const Owner& owner);

}  // namespace semel::postgres
