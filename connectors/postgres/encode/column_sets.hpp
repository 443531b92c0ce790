// Which columns a row leaves to the server, as small numbers.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace semel::postgres::encode {

/// Numbers combinations of left-out columns in the order in which they appear; 0 is "none left
/// out". There are at most 2^k for k columns that may be left out, and in practice as many as the
/// producers have kinds of records. None is ever refused, because that would cost a good record.
class ColumnSets {
 public:
  /// `count` columns may be left out.
  explicit ColumnSets(std::size_t count = 0) { number_of(std::string(count, '\0')); }

  /// `left_out` has one character per such column: '\1' where it is left out, else '\0'.
  std::uint32_t number_of(const std::string& left_out) {
    if (!sets_.empty() && sets_[last_] == left_out) return last_;
    const auto [found, inserted] =
        numbers_.try_emplace(left_out, static_cast<std::uint32_t>(sets_.size()));
    if (inserted) sets_.push_back(left_out);
    last_ = found->second;
    return last_;
  }

  const std::string& left_out(std::uint32_t number) const { return sets_[number]; }

 private:
  std::vector<std::string> sets_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::uint32_t last_ = 0;
};

}  // namespace semel::postgres::encode
