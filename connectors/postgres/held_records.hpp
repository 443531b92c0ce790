// Records and their rows kept until the end of a range: only there deferred constraints say whether
// they fit together.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/record.hpp>

#include "postgres/careful.hpp"

namespace semel::postgres {

/// Not thread safe.
class HeldRecords {
 public:
  void clear();
  void add(const Record& record, std::uint32_t column_set, std::string_view row);
  void add_bad(const Record& record, BadRecord bad);
  std::size_t size() const { return records_.size(); }
  /// So much is held that it has to be stored before the range ends.
  bool full() const { return size_ >= bytes_max; }

  std::span<const PlacedRow> rows() const { return rows_; }
  std::string_view bytes() const { return bytes_; }
  /// Valid until clear().
  Record record(std::size_t index) const;
  /// Why it was held as bad; absent: it was held as a row.
  const std::optional<BadRecord>& bad(std::size_t index) const { return records_[index].bad; }

 private:
  static constexpr std::size_t bytes_max = std::size_t{64} * 1024 * 1024;
  struct Copy {
    Offset offset = 0;
    std::int64_t timestamp_ms = -1;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    std::optional<BadRecord> bad;
  };
  void keep(const Record& record);

  std::deque<Copy> records_;
  std::vector<PlacedRow> rows_;
  std::string bytes_;
  std::size_t size_ = 0;
};

}  // namespace semel::postgres
