// The columns by which rows are merged: those of a unique index, which the server keeps.
#pragma once

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/options.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Into `table`: its key (the primary key, or the unique index of options.key), as the catalogue
/// has it now, and the name of its temporary table. Fatal where there is no such index that decides
/// for every row at once (not partial, deferrable, invalid, or on expressions), or where
/// options.version and options.marks_removed do not fit. Nothing where rows are not merged.
Result<void> describe_merging(Connection& connection, const Options& options, Table& table);

}  // namespace semel::postgres
