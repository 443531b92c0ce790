// Records and their rows kept until the end of a range: only there deferred constraints say whether
// they fit together.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/record.hpp>

#include "base/kept_records.hpp"
#include "postgres/rows/isolate.hpp"

namespace semel::postgres {

/// Not thread safe.
class HeldRecords {
 public:
  void clear();
  /// `rows` with their bytes in `bytes`.
  void add(const Record& record, std::span<const PlacedRow> rows, std::string_view bytes);
  void add_bad(const Record& record, BadRecord bad, std::size_t part);
  std::size_t size() const { return records_.size(); }
  /// So much is held that it has to be stored before the range ends.
  bool full() const { return records_.bytes() + bytes_.size() >= bytes_max; }

  std::span<const PlacedRow> rows() const { return rows_; }
  std::string_view bytes() const { return bytes_; }
  /// Valid until clear().
  Record record(std::size_t index) const { return records_[index]; }
  /// Which range of a transaction of several each record is of.
  std::span<const std::size_t> parts() const { return parts_; }
  /// Why it was held as bad; absent: it was held as a row.
  const std::optional<BadRecord>& bad(std::size_t index) const { return bad_[index]; }

 private:
  static constexpr std::size_t bytes_max = std::size_t{64} * 1024 * 1024;

  KeptRecords records_;
  std::vector<std::size_t> parts_;
  std::vector<std::optional<BadRecord>> bad_;  ///< of each record
  std::vector<PlacedRow> rows_;
  std::string bytes_;
};

}  // namespace semel::postgres
