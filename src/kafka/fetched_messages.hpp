// Messages as librdkafka hands them out, and what a record of ours sees of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <semel/record.hpp>

#include "kafka/handles.hpp"

namespace semel::kafka {

/// Owns messages; the vector is reused, so that nothing is allocated per batch.
class Messages {
 public:
  Messages() = default;
  ~Messages() { clear(); }
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;

  /// Destroys them: librdkafka fetches no more while too many are alive.
  void clear() {
    for (auto* message : messages_) rd_kafka_message_destroy(message);
    messages_.clear();
  }
  /// Moves everything from position `first` on to the beginning of `to`.
  void move_tail(std::size_t first, Messages& to) {
    const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(first);
    to.messages_.insert(to.messages_.begin(), begin, messages_.end());
    messages_.erase(begin, messages_.end());
  }
  /// Moves up to `count` from the front to the end of `to`.
  void move_front(std::size_t count, Messages& to) {
    const auto end =
        messages_.begin() + static_cast<std::ptrdiff_t>(std::min(count, messages_.size()));
    to.messages_.insert(to.messages_.end(), messages_.begin(), end);
    messages_.erase(messages_.begin(), end);
  }

  std::size_t size() const { return messages_.size(); }
  bool empty() const { return messages_.empty(); }
  const rd_kafka_message_t& operator[](std::size_t i) const { return *messages_[i]; }

  std::vector<rd_kafka_message_t*>& raw() { return messages_; }

 private:
  std::vector<rd_kafka_message_t*> messages_;
};

/// Views into `message`, which must outlive the record.
Record record_of(const rd_kafka_message_t& message);

}  // namespace semel::kafka
