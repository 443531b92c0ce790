// Column defaults that are evaluated by the server and sent by us: binary COPY has one list of
// columns, and "take the default" is no value in it.
#pragma once

#include <string>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// "SELECT …" of one row with these columns' defaults, in the encoder's format; empty for none.
std::string defaults_query(const Table& table, const std::vector<std::size_t>& columns,
                           CopyFormat format);
std::vector<DefaultValue> read_defaults(const Rows& rows, const std::vector<std::size_t>& columns,
                                        CopyFormat format);

/// Turns the defaults that cannot be evaluated by us (they fail, or have no binary output) into
/// `changing` ones: then the server evaluates them for the rows that need them, and says what is
/// wrong there.
Result<void> leave_failing_defaults_to_server(Connection& connection, Table& table);

}  // namespace semel::postgres
