// What is said of a record that the server refused: all of it in the dead letter, and without the
// record's values in a log. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "postgres/client/sqlstate.hpp"
#include "postgres/table/table.hpp"
#include "record/bad_record.hpp"

namespace semel::postgres {

/// Its column is the table's that the server names, in a field of the error or in COPY's context.
record::BadRecord bad_record_of(const ServerError& error, const Table& table);

/// What PostgreSQL's codes are called in record::for_log().
inline constexpr std::string_view code_name = "SQLSTATE";

/// The column that COPY's CONTEXT names for `table`, in whatever language.
std::optional<std::string> copy_column(std::string_view context, const Table& table);

/// A query for the columns of a constraint or index that `error` names, "a, b", where it belongs to
/// the table or one of its partitions; empty where the error names none.
std::string constraint_columns_query(const ServerError& error, const Table& table);

}  // namespace semel::postgres
