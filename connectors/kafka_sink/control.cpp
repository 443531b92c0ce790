#include "kafka_sink/control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/crash_point.hpp"
#include "kafka/topic_reader.hpp"
#include "kafka_sink/of_sink.hpp"

namespace semel::kafka_sink {

namespace {

// How long those of others may take, where nothing is wrong.
constexpr auto markers = std::chrono::milliseconds(300);

}  // namespace

Result<void> Control::begin_with_owner_id(const Stop& stop) {
  producer_.reset();
  auto made = shared_->fence(shared_->names.owner_id(), false, stop);
  if (!made) return tl::unexpected(made.error());
  producer_ = *std::move(made);
  return {};
}

Result<void> Control::fence(const Stop& stop) {
  auto begun = begin_with_owner_id(stop);
  return begun ? read_to_the_end(stop) : begun;
}

/// What somebody who is no more, or frozen, has left open in a slot is ended. Who has begun with
/// one had a row that can be read: so it is known how many there are.
Result<void> Control::read_to_the_end(const Stop& stop) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(ending_ms);
  while (true) {
    auto all = shared_->log.read_all(markers, stop);
    if (!all) return tl::unexpected(all.error());
    if (*all) return {};
    if (std::chrono::steady_clock::now() >= give_up) return shared_->log.hidden();
    const auto owner = shared_->log.owner();
    if (auto ended = fence_slots(owner ? owner->slots : 0, stop); !ended) {
      return tl::unexpected(ended.error());
    }
  }
}

Result<void> Control::write_all(const Rows& rows, const Stop& stop) {
  auto written = producer_->begin();
  if (written) written = send(*producer_, shared_->names, rows, stop);
  if (written) written = producer_->commit(ending_ms, stop);
  if (written) {
    shared_->log.committed(rows.positions);
    return {};
  }
  producer_.reset();
  // It can be done again: whether it has happened is seen in the ledger.
  auto error = of_sink(written.error());
  if (error.kind != ErrorKind::fatal) error.kind = ErrorKind::unavailable;
  return tl::unexpected(std::move(error));
}

Result<bool> Control::write(const Rows& rows, const Stop& stop) {
  if (!producer_) {
    // Before anybody is fenced.
    if (auto read = shared_->log.refresh(stop); !read) return tl::unexpected(read.error());
    if (!shared_->is_ours()) return false;
    if (auto begun = begin_with_owner_id(stop); !begun) return tl::unexpected(begun.error());
    // An heir's row may be hidden, whose id it was. Our own slots are at work: they are left alone.
    auto all = shared_->log.read_all(markers, stop);
    if (all && *all) return write(rows, stop);
    producer_.reset();
    return all ? shared_->log.hidden() : tl::unexpected(all.error());
  }
  if (!shared_->is_ours()) return false;
  if (auto written = write_all(rows, stop); !written) return tl::unexpected(written.error());
  return true;
}

/// Within the time that markers take.
Result<bool> Control::is_seen(const OwnerRow& owner, const Stop& stop) {
  constexpr auto look_again = std::chrono::milliseconds(5);
  const auto give_up = std::chrono::steady_clock::now() + markers;
  while (true) {
    if (auto read = shared_->log.refresh(stop); !read) return tl::unexpected(read.error());
    if (shared_->log.has_read(owner)) return true;
    if (std::chrono::steady_clock::now() >= give_up) return false;
    std::this_thread::sleep_for(look_again);
  }
}

Result<std::vector<ProducerPtr>> Control::fence_slots(int count, const Stop& stop) {
  std::vector<ProducerPtr> all;
  for (int slot = 0; slot < count; ++slot) {
    auto made = shared_->fence(shared_->names.slot_id(slot), false, stop);
    if (!made) return tl::unexpected(made.error());
    all.push_back(*std::move(made));
  }
  return all;
}

Result<void> Control::wait_until_seen(const OwnerRow& owner, const Stop& stop) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(ending_ms);
  while (true) {
    auto seen = is_seen(owner, stop);
    if (!seen) return tl::unexpected(seen.error());
    if (*seen) return {};
    if (std::chrono::steady_clock::now() >= give_up) {
      return shared_->log.hidden();
    }
    // Somebody who is no more, or frozen, has begun to end a transaction there.
    if (auto ended = fence_slots(owner.slots, stop); !ended) return tl::unexpected(ended.error());
  }
}

Result<void> Control::seize(const Rows& rows, bool keep, const Stop& stop) {
  if (auto written = write_all(rows, stop); !written) return written;
  const std::lock_guard lock(shared_->fencing);
  if (auto seen = wait_until_seen(*rows.owner, stop); !seen) return seen;
  if (keep) crash_point(CrashPoint::fenced);
  auto fenced = fence_slots(rows.owner->slots, stop);
  if (!fenced) return tl::unexpected(fenced.error());
  // What the slots have committed may stand behind what a stranger has begun meanwhile.
  auto all = shared_->log.read_all(std::chrono::milliseconds(ending_ms), stop);
  if (!all) return tl::unexpected(all.error());
  if (!*all) return shared_->log.hidden();
  // Not before the ledger was read: what is committed is compared with it.
  for (int slot = 0; keep && slot < shared_->slots.count(); ++slot) {
    shared_->slots.put(slot, std::move((*fenced)[static_cast<std::size_t>(slot)]));
  }
  return {};
}

}  // namespace semel::kafka_sink
