#include "source/write_ahead_log.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include <semel/failed.hpp>
#include <semel/stream/codec.hpp>

#include "base/crash_point.hpp"

namespace semel::source {

namespace {

namespace codec = stream::detail;

// All of it stored: do not change.
constexpr std::string_view key_of_next = "next";          // meta: the number of the next record
constexpr std::string_view prefix_of_sender = "sender/";  // state: its highest number
constexpr std::string_view prefix_of_record = "record/";  // state, then eight bytes: its number
using Kept = std::tuple<std::int64_t, std::optional<std::string>, std::string>;  // of a record

// A new log begins so many numbers after the one of a millisecond before.
constexpr int numbers_per_ms_log2 = 20;
// What waits for the disk, and who brings more waits, too.
constexpr std::size_t waiting_bytes_max = 16 << 20;
// Records that are removed in one write: they are small, and nobody waits for it.
constexpr Offset trimmed_at_once = 10'000;

std::string key_of(Offset number) {
  std::string key(prefix_of_record);
  codec::put_sorted(key, number);
  return key;
}

Offset number_in(std::string_view key) {
  codec::Decoder from(key.substr(prefix_of_record.size()));
  return codec::take_sorted(from);
}

std::size_t size_of(const WriteAheadLog::Entries& records) {
  std::size_t size = 0;
  for (const auto& record : records) {
    size += record.value.size() + (record.key ? record.key->size() : 0) + 64;
  }
  return size;
}

/// What cannot be decoded is damaged.
template <class Work>
Result<void> undamaged(const state::Disk& disk, Work work) {
  try {
    work();
    return {};
  } catch (const Failed&) {
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("the log of a receiver in {} is damaged", disk.path()));
  }
}

}  // namespace

Result<std::shared_ptr<WriteAheadLog>> WriteAheadLog::open(std::string topic,
                                                           std::unique_ptr<state::Disk> disk,
                                                           stream::ReceiverOptions options,
                                                           std::int64_t now_ms) {
  std::shared_ptr<WriteAheadLog> log(new WriteAheadLog(std::move(topic), std::move(disk), options));
  if (auto recovered = log->recover(now_ms); !recovered) return tl::unexpected(recovered.error());
  log->thread_ = std::thread([self = log.get()] { self->run(); });
  return log;
}

WriteAheadLog::WriteAheadLog(std::string topic, std::unique_ptr<state::Disk> disk,
                             stream::ReceiverOptions options)
    : topic_(std::move(topic)), disk_(std::move(disk)), options_(options), filled_(Clock::now()) {
  tokens_ = static_cast<double>(options_.records_per_second);
}

WriteAheadLog::~WriteAheadLog() {
  stop();
}

Result<void> WriteAheadLog::recover(std::int64_t now_ms) {
  const auto next = disk_->get(state::Disk::Family::meta, key_of_next);
  if (!next) return tl::unexpected(next.error());
  if (!*next) {
    bounds_.first = bounds_.end = std::max<std::int64_t>(now_ms, 1) << numbers_per_ms_log2;
    std::string number;
    codec::put_sorted(number, bounds_.end);
    const auto written = disk_->write(
        {{state::Disk::Family::meta, std::string(key_of_next), std::move(number)}}, true);
    if (!written) return written;
  } else {
    const auto read = undamaged(*disk_, [&] {
      codec::Decoder from(**next);
      bounds_.first = bounds_.end = codec::take_sorted(from);
    });
    if (!read) return read;
  }
  Result<void> decoded;
  const auto first = disk_->scan(prefix_of_record, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(prefix_of_record)) return false;
    decoded = undamaged(*disk_, [&] { bounds_.first = number_in(key); });
    return false;
  });
  if (!first || !decoded) return first ? decoded : first;
  const auto of_senders =
      disk_->scan(prefix_of_sender, [&](std::string_view key, std::string_view value) {
        if (!key.starts_with(prefix_of_sender)) return false;
        decoded = undamaged(*disk_, [&] {
          codec::Decoder from(value);
          senders_[std::string(key.substr(prefix_of_sender.size()))] = from.number();
        });
        return decoded.has_value();
      });
  if (!of_senders) return of_senders;
  passed_ = bounds_.first;
  return decoded;
}

Result<LocalLog::Bounds> WriteAheadLog::bounds() {
  const std::lock_guard lock(mutex_);
  if (failure_) return tl::unexpected(*failure_);
  return bounds_;
}

Result<void> WriteAheadLog::read(Offset from, Offset until, std::size_t max, KeptRecords& into) {
  auto next = from;
  Result<void> decoded;
  const auto scanned = disk_->scan(key_of(from), [&](std::string_view key, std::string_view value) {
    // What has gone meanwhile is a hole.
    if (next >= until || into.size() >= max || key != key_of(next)) return false;
    decoded = undamaged(*disk_, [&] {
      const auto kept = codec::decoded<Kept>(value);
      const auto& [timestamp_ms, record_key, record_value] = kept;
      Record record{.offset = next, .timestamp_ms = timestamp_ms, .value = record_value};
      if (record_key) record.key = *record_key;
      into.add(record);
      ++next;
    });
    return decoded.has_value();
  });
  if (!scanned) return scanned;
  if (!decoded) return decoded;
  if (next > from) return {};
  return fail(ErrorKind::data_loss, Cause::data_loss,
              fmt::format("record {} of {} is not there any more", from, topic_));
}

void WriteAheadLog::passed(Offset until) {
  {
    const std::lock_guard lock(mutex_);
    passed_ = std::max(passed_, std::min(until, bounds_.end));
  }
  changed_.notify_all();
}

bool WriteAheadLog::has_room() {
  const auto now = Clock::now();
  if (options_.records_per_second > 0) {
    const auto rate = static_cast<double>(options_.records_per_second);
    tokens_ = std::min(rate, tokens_ + rate * std::chrono::duration<double>(now - filled_).count());
    filled_ = now;
    if (tokens_ < 1) return false;
  }
  return waiting_bytes_ < waiting_bytes_max &&
         bounds_.end + waiting_records_ - passed_ < std::max<std::int64_t>(options_.pending_max, 1);
}

bool WriteAheadLog::store(std::vector<stream::Received> records, Durable durable) {
  if (records.empty()) {
    durable({});
    return true;
  }
  std::unique_lock lock(mutex_);
  while (!stopping_ && !has_room()) {
    // Tokens come without anybody's doing.
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  if (stopping_) return false;
  tokens_ -= static_cast<double>(records.size());
  waiting_records_ += static_cast<std::int64_t>(records.size());
  waiting_bytes_ += size_of(records);
  waiting_.push_back({std::move(records), std::move(durable)});
  lock.unlock();
  changed_.notify_all();
  return true;
}

void WriteAheadLog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WriteAheadLog::close() {
  stop();
  disk_.reset();
}

void WriteAheadLog::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    // The record before the next one stays: by it the log is recognised.
    changed_.wait(lock, [this] {
      return stopping_ || !waiting_.empty() || (!failure_ && passed_ - 1 > bounds_.first);
    });
    if (waiting_.empty() && stopping_) return;
    auto group = std::exchange(waiting_, {});
    const auto trim_to = std::clamp(passed_ - 1, bounds_.first, bounds_.first + trimmed_at_once);
    lock.unlock();
    write(std::move(group), trim_to);
    changed_.notify_all();
    lock.lock();
  }
}

bool WriteAheadLog::is_new(std::map<std::string, std::uint64_t>& highest,
                           const stream::Received& record) const {
  if (record.sender.empty() || record.sequence == 0) return true;
  const auto before = senders_.find(record.sender);
  auto& last = highest.try_emplace(record.sender, before == senders_.end() ? 0 : before->second)
                   .first->second;
  if (record.sequence <= last) return false;
  last = record.sequence;
  return true;
}

void WriteAheadLog::write(std::deque<Waiting> group, Offset trim_to) {
  std::int64_t taken = 0;
  std::size_t bytes = 0;
  for (const auto& [records, durable] : group) {
    taken += static_cast<std::int64_t>(records.size());
    bytes += size_of(records);
  }
  std::map<std::string, std::uint64_t> highest;
  auto next = bounds_.end;
  Result<void> written;
  if (failure_) {
    // A record behind a hole would never be read, and its sender's earlier ones would be taken for
    // kept: after a write that failed there is none.
    written = tl::unexpected(*failure_);
  } else {
    const auto changes = changes_of(group, trim_to, next, highest);
    // What is removed need not be synced: after a loss of power it is removed again.
    if (!changes.empty()) written = disk_->write(changes, next != bounds_.end);
  }
  crash_point("received_written");
  {
    const std::lock_guard lock(mutex_);
    waiting_records_ -= taken;
    waiting_bytes_ -= bytes;
    if (written) {
      bounds_ = {.first = trim_to, .end = next};
      for (const auto& [sender, sequence] : highest) senders_[sender] = sequence;
    } else if (!failure_) {
      failure_ = written.error();
    }
  }
  for (const auto& [records, durable] : group) durable(written);
}

std::vector<state::Disk::Change> WriteAheadLog::changes_of(
    const std::deque<Waiting>& group, Offset trim_to, Offset& next,
    std::map<std::string, std::uint64_t>& highest) const {
  using Family = state::Disk::Family;
  std::vector<state::Disk::Change> changes;
  for (const auto& [records, durable] : group) {
    for (const auto& record : records) {
      if (!is_new(highest, record)) continue;
      changes.push_back({Family::state, key_of(next++),
                         codec::encoded(Kept(record.timestamp_ms, record.key, record.value))});
    }
  }
  if (next != bounds_.end) {
    for (const auto& [sender, sequence] : highest) {
      changes.push_back(
          {Family::state, std::string(prefix_of_sender) + sender, codec::encoded(sequence)});
    }
    std::string number;
    codec::put_sorted(number, next);
    changes.push_back({Family::meta, std::string(key_of_next), std::move(number)});
  }
  for (auto old = bounds_.first; old < trim_to; ++old) {
    changes.push_back({Family::state, key_of(old), std::nullopt});
  }
  return changes;
}

}  // namespace semel::source
