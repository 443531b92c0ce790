// How much of what a producer sent has not arrived, as far as it can be told without a report of
// each message.
#pragma once

#include <cstdint>
#include <deque>

namespace semel::kafka {

/// Messages arrive in about the order in which they were sent. Not thread safe.
class OnTheirWay {
 public:
  /// `grain`: of bytes, how exactly it is known.
  explicit OnTheirWay(std::int64_t grain) : grain_(grain) {}

  void sent(std::int64_t bytes) {
    ++messages_;
    bytes_ += bytes;
    const auto since = bytes_ - (marks_.empty() ? arrived_ : marks_.back().bytes);
    if (since >= grain_) marks_.push_back({messages_, bytes_});
  }
  /// So many of those that were sent have not arrived.
  void waiting(std::int64_t messages) {
    while (!marks_.empty() && marks_.front().messages <= messages_ - messages) {
      arrived_ = marks_.front().bytes;
      marks_.pop_front();
    }
    if (messages > 0) return;
    marks_.clear();
    arrived_ = bytes_;
  }
  /// At most, since waiting() was told.
  std::int64_t bytes() const { return bytes_ - arrived_; }

 private:
  struct Mark {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
  };
  std::int64_t grain_;
  std::int64_t messages_ = 0;  ///< of all that were ever sent
  std::int64_t bytes_ = 0;
  std::int64_t arrived_ = 0;  ///< of the bytes
  std::deque<Mark> marks_;
};

}  // namespace semel::kafka
