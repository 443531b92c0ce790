#include "kafka_sink/slots.hpp"

#include <utility>

namespace semel::kafka_sink {

namespace {

std::size_t index_of(int slot) {
  return static_cast<std::size_t>(slot);
}

}  // namespace

std::optional<int> Slots::take() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!std::exchange(slots_[i].taken, true)) return static_cast<int>(i);
  }
  return std::nullopt;
}

void Slots::give_back(int slot) {
  const std::lock_guard lock(mutex_);
  slots_[index_of(slot)].taken = false;
}

ProducerPtr Slots::of(int slot) const {
  const std::lock_guard lock(mutex_);
  return slots_[index_of(slot)].producer;
}

void Slots::put(int slot, ProducerPtr producer) {
  const std::lock_guard lock(mutex_);
  auto& at = slots_[index_of(slot)];
  at.lost = false;
  // The one before goes outside of the lock.
  std::swap(at.producer, producer);
}

void Slots::lost(int slot) {
  ProducerPtr gone;
  const std::lock_guard lock(mutex_);
  slots_[index_of(slot)].lost = true;
  std::swap(slots_[index_of(slot)].producer, gone);
}

bool Slots::is_lost(int slot) const {
  const std::lock_guard lock(mutex_);
  return slots_[index_of(slot)].lost;
}

}  // namespace semel::kafka_sink
