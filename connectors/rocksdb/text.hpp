// Rows of the ledger as keys and values of RocksDB, as other people's tools show them. In an order
// that people can read: a table's name and the cells of the key, parted by blanks; numbers have
// leading zeros. The value is the row as a JSON object.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/tables.hpp"

namespace semel::rocksdb {

/// "semel_progress clicks default visits 00000000000000000003 ": what the keys of all rows begin
/// with whose own keys begin with `cells`; all of its cells: the row's. What is a blank, a control
/// character or a percent sign in a text is written as %20.
std::string key_of(const store::Table& table, const store::Row& cells);

/// {"pipeline": "clicks", ...}; bytes that are no text are {"base64": "..."}.
std::string value_of(const store::Table& table, const store::Row& row);

/// Absent where it is no row of the table.
std::optional<store::Row> row_of(const store::Table& table, std::string_view value);

}  // namespace semel::rocksdb
