// The table that gets the rows, and the encoder for it: made in one way by whoever needs them, so
// that `semel check`, the start and every session agree on what is refused.
#pragma once

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/options.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

struct Target {
  Table table;
  RowEncoder encoder;
};

/// What was found against `table` after it was described: nothing that says something of the table
/// if that has changed since, but retriable. Asks the server, outside a transaction.
Error unless_changed(Connection& connection, const Table& table, Error found);

/// Reads the catalogue on `connection`, outside a transaction. Fatal where the table does not
/// exist, takes no rows, cannot hold options.delivery, or does not fit options.columns.
Result<Target> describe_target(Connection& connection, const Options& options);

}  // namespace semel::postgres
