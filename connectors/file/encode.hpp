// What a record's values look like in a file. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "file/options.hpp"
#include "record/reader.hpp"
#include "record/value.hpp"

namespace semel::file {

/// Of a column. `any`: whatever the value is.
enum class Type : std::uint8_t { any, string, int64, float64, boolean, timestamp };

struct FileColumn {
  std::string name;
  Type type = Type::any;
};

/// "NAME" or "NAME TYPE". Fails (fatal, configuration), saying which words there are.
Result<std::vector<FileColumn>> columns_of(const std::vector<std::string>& schema);
/// As the schema spells it.
std::string_view type_name(Type type);

/// A value that is no record's fault to be none of a column.
struct Refusal {
  std::size_t column = 0;
  std::string why;  ///< without anything of the value
};

/// Rows of one file, as bytes. Not thread safe.
class RowWriter {
 public:
  virtual ~RowWriter() = default;

  /// What the file begins with.
  virtual void begin(std::string& /*out*/) {}
  /// Appends one row, or nothing where it is refused. `values` are by column.
  virtual std::optional<Refusal> row(std::span<const record::Value> values, std::string& out) = 0;
  /// What it ends with.
  virtual Result<void> end(std::string& /*out*/) { return {}; }
};

/// No columns: of each record its first value, which is a JSON object, as it was.
std::unique_ptr<RowWriter> json_lines(const std::vector<FileColumn>& columns);
std::unique_ptr<RowWriter> csv(const std::vector<FileColumn>& columns);
/// Null where this build has no Apache Arrow.
std::unique_ptr<RowWriter> parquet_rows(const std::vector<FileColumn>& columns);

/// The ending of a file's name.
std::string_view ending_of(Form form);
/// Absent: this build cannot write it.
std::unique_ptr<RowWriter> row_writer(Form form, const std::vector<FileColumn>& columns);

/// What a column of a type makes of a value: nothing, a whole number, a real one, a boolean, text,
/// or microseconds since 1970.
struct Cell {
  enum class Kind : std::uint8_t { null, integer, real, boolean, text, moment, refused };
  Kind kind = Kind::null;
  std::int64_t integer = 0;  ///< also of boolean and moment
  double real = 0;
  std::string_view text;  ///< also why it is refused
};
/// Borrows from `value` and `scratch`.
Cell cell_of(const record::Value& value, Type type, std::string& scratch);
/// "2026-01-31T10:20:30.5Z"
std::string_view moment_text(std::int64_t micros, std::string& scratch);

/// A cell of a row for people (`semel check --sample`); absent: NULL.
std::optional<std::string> shown(const record::Value& value, Type type);

}  // namespace semel::file
