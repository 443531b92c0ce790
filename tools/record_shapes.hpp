// Records of several shapes, for benchmarks of what is read and written: wide, tiny, large, nested,
// of many types, and with some that cannot be stored. The same id always makes the same record.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace semel::demo {

struct RecordShape {
  std::string_view name;
  std::string_view what;     ///< for people, one line
  std::string_view columns;  ///< of the table, as CREATE TABLE has them
  /// For `bare-postgres --columns` (bench/bare); empty where the bare loop cannot store the shape.
  std::string_view bare_columns;
  std::string_view settings;  ///< lines of [sink.postgres] beside dsn and table
  void (*append)(std::int64_t id, std::string& out);
};

std::span<const RecordShape> record_shapes();

}  // namespace semel::demo
