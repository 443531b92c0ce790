// Tables made and widened in the database, each in a transaction of its own.
#pragma once

#include <cstdint>
#include <string>

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/options.hpp"
#include "postgres/table/making.hpp"
#include "record/shape.hpp"

namespace semel::postgres {

/// What the shape of a table's records is taken from. `rule` outlives it.
enum class ShapeOf : std::uint8_t { table, missing_table };
Result<record::Shape> shape_for(const Options& rule, ShapeOf of);

/// The table of `rule` as the catalogue has it.
Result<TableNow> table_now(Connection& connection, const Options& rule);

/// Whether rows can go there only once semel has made the table, or columns of its rule: it may,
/// and they are not there.
bool is_to_be_made(const Options& rule, const TableNow& now);

/// Makes the table of `rule`, or adds columns to it, for records like those of `shape`; what was
/// added. Under an advisory lock, so that of several who see the same records one makes
/// it and the others find it made. The connection is outside a transaction, and is again. The log
/// is told what was made.
Result<Making> make_table(Connection& connection, const Options& rule, const record::Shape& shape);

/// The statements of make_table(), for people to read and run; empty: there is nothing to make.
/// Changes nothing.
Result<std::string> making_statements(Connection& connection, const Options& rule,
                                      const record::Shape& shape);

}  // namespace semel::postgres
