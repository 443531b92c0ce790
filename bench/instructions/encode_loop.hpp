// What a session does with each record (connectors/postgres/session/session_rows.cpp,
// write_streaming), without a server: full pieces are dropped where the session sends them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <semel/record.hpp>
#include <semel/types.hpp>

#include "postgres/rows/bad_record.hpp"
#include "postgres/rows/dead_letters.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/shared.hpp"
#include "record/bad_tally.hpp"
#include "shapes.hpp"

namespace semel::shapes {

/// Not thread safe. Throws std::runtime_error where the shape has no encoder.
class EncodeLoop {
 public:
  EncodeLoop(const Shape& shape, TopicPartition tp);

  /// Every record into a row or a dead letter.
  void write(std::span<const Record> records);

  std::uint64_t rows() const { return rows_; }
  std::uint64_t bad() const { return bad_; }
  std::uint64_t row_bytes() const { return row_bytes_; }
  const record::BadRecord& last_bad() const { return encoder_.bad(); }
  postgres::CopyFormat format() const { return encoder_.format(); }

 private:
  void drop();

  postgres::RowEncoder encoder_;
  postgres::RowStream stream_;
  record::BadTally tally_{postgres::code_name};
  postgres::DeadLetters dead_letters_;
  postgres::Shared shared_;
  Task task_;
  std::uint64_t rows_ = 0;
  std::uint64_t bad_ = 0;
  std::uint64_t row_bytes_ = 0;
};

}  // namespace semel::shapes
