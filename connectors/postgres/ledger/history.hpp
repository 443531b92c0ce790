// The history as SQL: its partitions, and where it ends in each.
#pragma once

#include <string>
#include <string_view>

#include <semel/types.hpp>

#include "postgres/ledger/ledger_ddl.hpp"

namespace semel::postgres {

/// How the note of a move begins that forgot a position (`semel offsets reset`).
/// Stored: do not change.
constexpr std::string_view reset_note = "reset by ";

/// A subquery of one row per partition that the history knows, (topic, "partition"): by index,
/// however long the history is.
std::string history_partitions(const LedgerTables& tables, const Owner& owner);

/// A subquery of the newest move of each of them: (topic, "partition", until_offset, batch_time,
/// epoch, forgotten). Trimming leaves it.
std::string history_ends(const LedgerTables& tables, const Owner& owner);

}  // namespace semel::postgres
