// Where a session is in what it is given: records come in the order of tasks and offsets. No I/O.
#pragma once

#include <cstddef>
#include <span>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

namespace semel::record {

/// Of one transaction. Not thread safe.
class RecordOrder {
 public:
  /// Another one begins.
  void start() { *this = {}; }
  /// SinkSession::write()
  void written(std::size_t task, std::span<const Record> records) {
    if (!records.empty()) pass(task, records.back().offset);
  }
  /// SinkSession::set_aside(): an error where it is not that record's turn, or not of the range of
  /// `task`.
  Result<void> set_aside(std::size_t task, const OffsetRange& range, Offset offset);

 private:
  void pass(std::size_t task, Offset offset) {
    task_ = task;
    next_ = offset + 1;
  }

  std::size_t task_ = 0;
  Offset next_ = 0;  ///< of that task
};

}  // namespace semel::record
