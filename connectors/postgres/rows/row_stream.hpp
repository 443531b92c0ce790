// Rows on their way into the table, in the order in which they come. A COPY has one list of
// columns: it ends where a row of another set of present columns comes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/client/connection.hpp"
#include "postgres/merge/staging.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// "COPY schema.table (columns) FROM STDIN (FORMAT …)". Where a set has no columns at all there is
/// no such COPY: then "INSERT …" of as many rows of defaults as `bytes` holds.
std::string copy_statement(const Table& table, const RowEncoder& encoder, std::uint32_t column_set);
std::string insert_defaults_statement(const Table& table, CopyFormat format, std::size_t bytes);

/// How long a statement that moves rows may take: locks of others are waited for, a dead server is
/// not.
std::chrono::milliseconds row_patience(const Options& options);

/// Rows go out in pieces of 64 KiB while the next are encoded. Whatever of a table can see their
/// order (triggers, sequences, constraints, functions) sees the order of append: nothing is asked
/// of the table, so nothing that is added to it later can be missed. Not thread safe.
class RowStream {
 public:
  /// Forgets everything and binds to a transaction. All four must outlive the next start().
  /// `staging`: where the table's rows go by way of a temporary one, which is there; else null.
  void start(Connection& connection, const Table& table, const RowEncoder& encoder,
             std::chrono::milliseconds patience, const Staging* staging = nullptr);

  /// Append a row here, then say where it began and to which set it belongs. Nothing is allocated
  /// for a row of the same set as the one before.
  std::string& buffer() { return bytes_; }
  void placed(std::size_t began_at, std::uint32_t column_set) {
    if (current_ != column_set) begin_run(began_at, column_set);
  }
  bool wants_flush() const { return bytes_.size() >= std::min(piece, copy_bytes_max_); }

  /// One statement took the server too long: from now on, until this object ends, a COPY gets a
  /// quarter of what that one got, though no less than copy_bytes_min at once.
  void shorten();

  /// Sends `statements`, which open the transaction, and in the same message the first COPY of the
  /// rows there are: a round trip less for each small range. The reply's results are of
  /// `statements`.
  Reply open_after(const std::string& statements);
  /// Sends the rows there are. A reply that is not ok() is final for the transaction.
  Reply flush();
  /// The same, and ends the COPY. More rows may follow, but at the end of the transaction.
  enum class End : std::uint8_t { of_rows, of_transaction };
  Reply finish(End end = End::of_rows);
  /// How many rows the server says that it stored (or changed), of those whose COPY has ended.
  std::uint64_t stored() const { return stored_; }

 private:
  /// Rows of one set, one behind another.
  struct Run {
    std::uint32_t column_set = 0;
    std::size_t begin = 0;  ///< in bytes_
  };

  static constexpr std::size_t piece = std::size_t{64} * 1024;
  static constexpr std::size_t copy_bytes_min = 1'024;

  void begin_run(std::size_t began_at, std::uint32_t column_set);
  std::string_view bytes_of(std::size_t run) const;
  const std::string& copy_of(std::uint32_t column_set);
  /// Of the runs from there on, for one message.
  std::string statements_from(std::size_t run);
  Reply opened(Reply reply);
  Reply send(bool all_end);
  /// Where the runs from there on are many and short: one INSERT instead of a COPY for each.
  std::optional<Reply> insert_from(std::size_t run);
  Reply put(std::string_view bytes, bool ends);
  Reply close();
  /// What is staged into the table.
  Reply merge();
  Reply lost();

  Connection* connection_ = nullptr;
  const Table* table_ = nullptr;
  const RowEncoder* encoder_ = nullptr;
  const Staging* staging_ = nullptr;
  std::int64_t merged_until_ = 0;  ///< the last row of the temporary table that was carried over
  std::size_t staged_bytes_ = 0;   ///< that are in there
  bool ends_ = false;              ///< nothing follows
  std::chrono::milliseconds patience_{0};
  std::string bytes_;  ///< rows that were not sent
  /// Of those; without any, the one that more rows may join. The first is of the COPY that is open.
  std::vector<Run> runs_;
  std::optional<std::uint32_t> current_;  ///< the last run's set
  bool open_ = false;
  bool locked_ = false;                ///< the transaction's first COPY has begun
  std::optional<bool> takes_inserts_;  ///< in this transaction
  std::string ahead_;                  ///< goes before the next rows of the COPY that is open
  std::vector<std::string> copies_;    ///< statements by set, as they are needed
  std::uint64_t stored_ = 0;
  std::size_t sent_ = 0;  ///< bytes of the COPY that is open, or was last
  std::size_t copy_bytes_max_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace semel::postgres
