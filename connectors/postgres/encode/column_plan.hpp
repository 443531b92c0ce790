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
#include "record/mapping.hpp"

namespace semel::postgres::encode {

using record::Mapping;
using record::Source;

struct ColumnPlan {
  std::string name;
  std::string type_name;
  EncoderPtr encoder;
  Mapping mapping;
  std::string written;  ///< the mapping as the configuration has it; empty: the member of this name
  Holds holds = Holds::other;
  bool not_null = false;
  DefaultKind default_kind = DefaultKind::none;
  /// Of a constant or stable default, once it is known: the whole field as it goes into a row.
  std::optional<std::string> default_field;
  bool default_is_null = false;
  std::size_t changing = 0;  ///< its place among the columns with a changing default

  /// Whether a record may lack it: then its default counts.
  bool may_be_absent() const {
    return mapping.source == Source::path || mapping.source == Source::header;
  }
};

struct TablePlan {
  std::vector<ColumnPlan> columns;  ///< as in Table::columns
  bool binary = true;               ///< every encoder is
};

/// Fails (fatal) where a mapping names a column that cannot be written, cannot be parsed, or yields
/// what the column's type cannot hold.
Result<TablePlan> plan_columns(const Table& table, const Options& options,
                               const JsonCheck& is_json);

}  // namespace semel::postgres::encode
