// Rows on their way into the table: one COPY at a time, one per set of present columns.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.hpp"
#include "postgres/row_encoder.hpp"
#include "postgres/table.hpp"

namespace semel::postgres {

/// "COPY schema.table (columns) FROM STDIN (FORMAT …)". Where a set has no columns at all there is
/// no such COPY: then "INSERT …" of as many rows of defaults as `bytes` holds.
std::string copy_statement(const Table& table, const RowEncoder& encoder, std::uint32_t column_set);
std::string insert_defaults_statement(const Table& table, CopyFormat format, std::size_t bytes);

/// How long a statement that moves rows may take: locks of others are waited for, a dead server is
/// not.
std::chrono::milliseconds row_patience(const Options& options);

/// Rows of the current set go out in pieces of 64 KiB while the next are encoded; rows of other
/// sets wait in memory, within a bound. Not thread safe.
class RowStream {
 public:
  /// Forgets everything and binds to a transaction. All three must outlive the next start().
  void start(Connection& connection, const Table& table, const RowEncoder& encoder,
             std::chrono::milliseconds patience);

  /// Append a row here, then say where it began and to which set it belongs. Nothing is allocated
  /// for rows of the current set.
  std::string& buffer() { return bytes_; }
  void placed(std::size_t began_at, std::uint32_t column_set) {
    if (current_ != column_set) place_elsewhere(began_at, column_set);
  }
  bool wants_flush() const {
    return bytes_.size() >= std::min(piece, copy_bytes_max_) ||
           waiting_bytes_ >= std::min(waiting_bytes_max, copy_bytes_max_);
  }

  /// One statement took the server too long: from now on, until this object ends, a COPY gets a
  /// quarter of what that one got, though no less than copy_bytes_min at once.
  void shorten();

  /// Sends `statements`, which open the transaction, and in the same message the COPY of the rows
  /// there are: a round trip less for each small range. The reply's results are of `statements`.
  Reply open_after(const std::string& statements);
  /// Sends what wants_flush. A reply that is not ok() is final for the transaction.
  Reply flush();
  /// Sends everything and ends the COPY. More rows may follow.
  Reply finish();
  /// How many rows the server says that it stored, of those whose COPY has ended.
  std::uint64_t stored() const { return stored_; }

 private:
  static constexpr std::size_t piece = std::size_t{64} * 1024;
  static constexpr std::size_t waiting_bytes_max = std::size_t{4} * 1024 * 1024;

  void place_elsewhere(std::size_t began_at, std::uint32_t column_set);
  Reply open();
  Reply opened(Reply reply);
  Reply put(std::string_view bytes);
  Reply close();
  void make_current(std::uint32_t column_set);
  Reply lost();
  static constexpr std::size_t copy_bytes_min = 1'024;

  Connection* connection_ = nullptr;
  const Table* table_ = nullptr;
  const RowEncoder* encoder_ = nullptr;
  std::chrono::milliseconds patience_{0};
  std::string bytes_;  ///< rows of the current set that were not sent
  std::optional<std::uint32_t> current_;
  bool open_ = false;
  std::vector<std::string> waiting_;  ///< by set
  std::size_t waiting_bytes_ = 0;
  std::uint64_t stored_ = 0;
  std::size_t sent_ = 0;  ///< bytes of the COPY that is open, or was last
  std::size_t copy_bytes_max_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace semel::postgres
