// A table read from PostgreSQL's catalogue, and the fingerprint by which the guard notices that it
// has changed.
#pragma once

#include <string>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Reads `written` ("table" or "schema.table") in two round trips, all of one snapshot. Fatal
/// (Cause::sink) with a remedy where it does not exist or cannot take rows.
Result<Table> describe_table(Connection& connection, const std::string& written);

/// A scalar expression: what Table::fingerprint would be now, of whatever has the table's name now.
/// NULL where nothing has.
std::string fingerprint_sql(const Table& table);

/// " AND …": true as long as none of them has changed; empty where there are none.
std::string unchanged_sql(const std::vector<const Table*>& tables);

}  // namespace semel::postgres
