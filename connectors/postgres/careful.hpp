// Finding the rows that the server refuses, without sending the good ones one by one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "postgres/connection.hpp"
#include "postgres/row_encoder.hpp"
#include "postgres/table.hpp"

namespace semel::postgres {

/// One encoded row: which record it came from, and where its bytes are.
struct PlacedRow {
  std::size_t record = 0;
  std::uint32_t column_set = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Puts rows into the table in chunks with a savepoint each. A chunk that is refused is split: at
/// the line that COPY's context names, or in halves where it names none, down to the row that is
/// refused alone. So n rows cost at most about 2 n messages, and a row is never blamed for another.
/// Chunks shrink where rows are bad and grow again. Constraints must be immediate. Not thread safe.
class CarefulWriter {
 public:
  using OnRefused = std::function<void(const PlacedRow&, const ServerError&)>;

  CarefulWriter(Connection& connection, const Table& table, const RowEncoder& encoder,
                std::chrono::milliseconds patience);

  /// `rows` in order, their bytes in `bytes`. A reply that is not ok() is no row's fault and final
  /// for the transaction.
  Reply write(std::span<const PlacedRow> rows, std::string_view bytes, const OnRefused& on_refused);

 private:
  Reply write_chunk(std::span<const PlacedRow> rows, std::string_view bytes,
                    const OnRefused& on_refused);
  /// One savepoint, one COPY. With an error in the reply the transaction stands where it stood.
  Reply attempt(std::span<const PlacedRow> rows, std::string_view bytes);

  static constexpr std::size_t chunk_max = 1'024;

  Connection& connection_;
  const Table& table_;
  const RowEncoder& encoder_;
  std::chrono::milliseconds patience_;
  std::size_t chunk_ = chunk_max;
};

}  // namespace semel::postgres
