// Counts good and bad records, to tell bad data from a table that fits nothing. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "postgres/options.hpp"
#include "postgres/row_encoder.hpp"

namespace semel::postgres {

/// Bad records in a row are counted over ranges: many ranges of one bad record each are no better
/// than one range of many. Not thread safe.
class BadTally {
 public:
  /// A range begins, perhaps again: what an attempt before it counted is forgotten.
  void start() {
    records_ = bad_ = 0;
    in_a_row_ = in_a_row_before_;
    reasons_.clear();
  }
  void good() {
    ++records_;
    in_a_row_ = 0;
  }
  void bad(const BadRecord& record) {
    ++records_;
    ++bad_;
    ++in_a_row_;
    constexpr std::size_t kinds_max = 100;
    const std::pair key(record.sqlstate, record.column);
    if (const auto found = reasons_.find(key); found != reasons_.end()) {
      ++found->second.first;
    } else if (reasons_.size() < kinds_max) {
      reasons_.emplace(key, std::pair(std::uint64_t{1}, record.reason));
    }
  }
  /// The range was committed.
  void settled() { in_a_row_before_ = in_a_row_; }

  std::uint64_t records() const { return records_; }
  std::uint64_t count() const { return bad_; }
  /// The range is bad from end to end, as configured.
  bool stops(const Options& options) const {
    return bad_ > 0 && in_a_row_ >= options.bad_share_min_records &&
           static_cast<double>(bad_) >= options.bad_share_max * static_cast<double>(records_);
  }
  /// "column "id": … (SQLSTATE 22P02), 98 of 100 times"
  std::string commonest() const;

 private:
  std::uint64_t records_ = 0;
  std::uint64_t bad_ = 0;
  std::uint64_t in_a_row_ = 0;
  std::uint64_t in_a_row_before_ = 0;
  /// (SQLSTATE, column) → how often, and the first one's reason
  std::map<std::pair<std::string, std::string>, std::pair<std::uint64_t, std::string>> reasons_;
};

}  // namespace semel::postgres
