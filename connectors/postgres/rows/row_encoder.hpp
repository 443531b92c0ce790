// Turns a Kafka record into one row of a COPY: JSON in one pass, one encoder per column chosen from
// the catalogue once. No I/O and no connection: tested without a server. What becomes of which JSON
// value: encode/README.md. The session's client_encoding has to be UTF8.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "postgres/options.hpp"
#include "postgres/rows/staged.hpp"
#include "postgres/table/table.hpp"
#include "record/reader.hpp"

namespace semel::postgres {

enum class CopyFormat : std::uint8_t {
  binary,  ///< every column's type has a binary encoder
  text,    ///< at least one has not: the whole table goes as text
};

/// Why a record cannot be a row; its code is the SQLSTATE that PostgreSQL would have given.
using record::BadRecord;

using record::Fate;

/// What PostgreSQL would have said of such a record.
const char* sqlstate_of(record::Fault fault);

/// What became of one record. A removal is a row, too, on its way to a temporary table.
struct Encoded {
  Fate status = Fate::row;
  std::uint32_t column_set = 0;  ///< which COPY the row belongs to: see RowEncoder::columns_of
  std::uint32_t unknown_fields = 0;
  bool removal = false;  ///< of a row, on its way to a temporary table
};

/// A default evaluated by the server in this transaction, in the encoder's format (binary image or
/// text before COPY's escaping); absent: NULL.
struct DefaultValue {
  std::size_t column = 0;  ///< index into Table::columns
  std::optional<std::string> value;
};

/// Not thread safe: each session has its own. Movable.
class RowEncoder {
 public:
  /// Fails (fatal, Cause::sink or configuration) where a mapping names a column that does not
  /// exist, a path cannot be parsed, or a column's type can hold nothing that its mapping yields.
  /// `for_people`: as text, whatever the types are.
  static Result<RowEncoder> make(const Table& table, const Options& options,
                                 bool for_people = false);
  RowEncoder(RowEncoder&&) noexcept;
  RowEncoder& operator=(RowEncoder&&) noexcept;
  ~RowEncoder();

  CopyFormat format() const;

  /// Columns (indices into Table::columns) whose default the encoder may need, of the given kind
  /// (constant or stable). The session evaluates them and calls set_defaults.
  std::vector<std::size_t> defaults_needed(DefaultKind kind) const;
  void set_defaults(std::span<const DefaultValue> values);

  /// The columns, in order, of COPY's column list for rows of this set: names as the catalogue has
  /// them, not quoted. Set 0 is all of them and always exists. Rows that lack a member for a column
  /// with a changing default go to a set without that column; sets are numbered as they appear, in
  /// practice one for each kind of record (2^k at most for k such columns). No record is refused
  /// for its set. A set may be empty: its rows have no fields. On the way to a temporary table all
  /// rows are of set 0: a field that is left out is null there, and the row says so.
  std::vector<std::string> columns_of(std::uint32_t column_set) const;

  /// What staged() tells of begins here.
  void begin_rows();
  Staged staged() const;
  /// Of the last row that was encoded for a temporary table; 0 before the first.
  std::int64_t last_number() const;

  /// Of the key by which rows are merged, in the table's order.
  std::vector<std::string> key_columns() const;

  /// Appends one row to `out`, or nothing where it is none. bad() says why it is bad,
  /// unavailable() what its task fails with where it cannot be read now, or not be merged with the
  /// rows before it. An encoder for people makes the fields of its key of a removal, and calls it
  /// so.
  /// Where rows are an array's elements, the first of them; ignored: there are none.
  Encoded encode(const TopicPartition& tp, const Record& record, std::string& out);
  /// The next row of the same record, if there is one. Bad: all of the record is.
  std::optional<Encoded> encode_next(std::string& out);
  /// Members at the top of a value that columns come from.
  std::vector<std::string> known_members() const;
  /// And of an element, where rows are elements.
  std::vector<std::string> known_inside() const;
  const BadRecord& bad() const;
  Error unavailable() const;
  /// After a record with unknown fields: the first of them, until the next one.
  std::string_view unknown_field() const;

  /// What COPY's stream begins and ends with: signature and trailer, empty for text.
  std::string_view copy_begin() const;
  std::string_view copy_end() const;

 private:
  struct Impl;
  explicit RowEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::postgres
