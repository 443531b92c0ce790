// Tables and records of every kind that the encoder meets, made in memory: what instructions and
// allocations per record are counted over. The same shape makes the same bytes every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/record.hpp>
#include <semel/types.hpp>

#include "postgres/options.hpp"
#include "postgres/table/table.hpp"

namespace semel::shapes {

struct Shape {
  std::string name;
  std::string what;  ///< for people, one line
  postgres::Table table;
  postgres::Options options;  ///< mappings; no connection
  bool binary = true;         ///< COPY's format that the table leads to
  /// Appends the value of record `id`.
  void (*append_value)(std::int64_t id, std::string& out) = nullptr;
  bool headers = false;  ///< whether the records have headers
  /// How many records are made: enough of them that no single one counts, few enough for memory.
  std::size_t records = 0;
  /// Every how manyth record is bad; 0: none.
  std::int64_t bad_every = 0;
};

const std::vector<Shape>& all_shapes();
/// Throws std::out_of_range, naming those there are.
const Shape& shape_of(std::string_view name);

/// "CREATE TABLE name (…)" for a real database.
std::string create_table(const Shape& shape, std::string_view name);

/// A shape's records; they are views into this object. Not movable.
class Records {
 public:
  Records(const Shape& shape, std::size_t count);
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  const TopicPartition& tp() const { return tp_; }
  std::span<const Record> all() const { return records_; }
  std::uint64_t value_bytes() const { return value_bytes_; }

 private:
  TopicPartition tp_{"events", 3};
  std::deque<std::string> values_;
  std::deque<std::string> keys_;
  std::vector<Record> records_;
  std::uint64_t value_bytes_ = 0;
};

}  // namespace semel::shapes
