// Rows that lack different columns as one INSERT: it can say DEFAULT for each field, which no COPY
// can.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Rows of one set of columns, one behind another, in the encoder's binary format.
struct EncodedRows {
  std::uint32_t column_set = 0;
  std::string_view bytes;
};

/// A statement and its parameters, in binary. Views into the rows; nullptr for NULL.
struct InsertRows {
  std::string sql;
  std::vector<const char*> values;
  std::vector<int> lengths;
};

/// The fields of a binary row are what parameters are sent as, and a parameter has the type of its
/// column: both read them with the same functions. As in COPY, a value for an identity column is
/// stored. Absent: more than one statement can hold, or rows in text.
std::optional<InsertRows> insert_rows(const Table& table, const RowEncoder& encoder,
                                      std::span<const EncodedRows> rows);

/// Asks whether an INSERT means what a COPY means: a rule would rewrite it. One row, one boolean;
/// true as long as the transaction holds a lock of the table.
std::string takes_inserts_query(const Table& table);

}  // namespace semel::postgres
