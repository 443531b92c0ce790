// Producers by their transactional ids: one session after the other has a slot.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "kafka/transactional_producer.hpp"

namespace semel::kafka_sink {

using ProducerPtr = std::shared_ptr<kafka::TransactionalProducer>;

/// Thread safe. A producer is used by the session that has its slot, and by nobody else.
class Slots {
 public:
  explicit Slots(int count) : slots_(static_cast<std::size_t>(count)) {}

  int count() const { return static_cast<int>(slots_.size()); }
  /// The lowest that nobody has; absent: they are all taken.
  std::optional<int> take();
  void give_back(int slot);

  /// Fenced, and free of doubt; none: there is no such.
  ProducerPtr of(int slot) const;
  void put(int slot, ProducerPtr producer);
  /// Its producer is of no use any more; its last transaction may be open, or in doubt.
  void lost(int slot);
  bool is_lost(int slot) const;

 private:
  struct Slot {
    bool taken = false;
    bool lost = false;
    ProducerPtr producer;
  };
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
};

}  // namespace semel::kafka_sink
