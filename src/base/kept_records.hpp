// Records that outlive what they were views of.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <semel/record.hpp>

namespace semel {

/// Copies, in the order in which they were added. Not thread safe.
class KeptRecords {
 public:
  void add(const Record& record);
  void clear();
  std::size_t size() const { return records_.size(); }
  /// About what they take of memory.
  std::size_t bytes() const { return bytes_; }
  /// Valid until clear().
  Record operator[](std::size_t index) const;

 private:
  struct Copy {
    Offset offset = 0;
    std::int64_t timestamp_ms = -1;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  };

  std::deque<Copy> records_;
  std::size_t bytes_ = 0;
};

}  // namespace semel
