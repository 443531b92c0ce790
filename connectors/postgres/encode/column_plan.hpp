// What is done for each column of the table, decided once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "postgres/encode/encoder.hpp"
#include "postgres/options.hpp"
#include "postgres/table/table.hpp"
#include "record/reader.hpp"

namespace semel::postgres::encode {

struct ColumnPlan {
  std::string name;
  std::string type_name;
  EncoderPtr encoder;
  std::string written;  ///< the mapping as the configuration has it; empty: the member of this name
  bool may_be_absent = false;  ///< a record may lack it: then its default counts
  bool not_null = false;
  bool by_merging = false;  ///< no record's value goes there: it says whether a row was removed
  bool of_key = false;      ///< by which rows are merged: it may not be null
  DefaultKind default_kind = DefaultKind::none;
  /// Of a constant or stable default, once it is known: the whole field as it goes into a row.
  std::optional<std::string> default_field;
  bool default_is_null = false;
  bool may_be_left_out = false;  ///< a row may go without it: the server evaluates its default
  std::size_t changing = 0;      ///< its place among the columns with a changing default
};

struct TablePlan {
  std::vector<ColumnPlan> columns;           ///< as in Table::columns
  std::vector<record::MappedColumn> mapped;  ///< the same: where their values come from
  bool binary = true;                        ///< every encoder is
};

/// Where people write mappings.
inline constexpr auto columns_setting = "sink.postgres.columns";

/// Fails (fatal) where a mapping names a column that cannot be written, cannot be parsed, or yields
/// what the column's type cannot hold.
Result<TablePlan> plan_columns(const Table& table, const Options& options,
                               const JsonCheck& is_json);

}  // namespace semel::postgres::encode
