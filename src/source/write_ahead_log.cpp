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
  std::shared_ptr<WriteAheadLog> log(
      new WriteAheadLog(std::move(topic), std::move(disk), std::move(options)));
  if (auto recovered = log->recover(now_ms); !recovered) return tl::unexpected(recovered.error());
  log->begin();
  return log;
}

WriteAheadLog::WriteAheadLog(std::string topic, std::unique_ptr<state::Disk> disk,
                             stream::ReceiverOptions options)
    : Intake(std::move(options)), topic_(std::move(topic)), disk_(std::move(disk)) {}

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
  wake();
}

bool WriteAheadLog::has_place(std::int64_t waiting) const {
  return bounds_.end + waiting - passed_ < std::max<std::int64_t>(options_.pending_max, 1);
}

bool WriteAheadLog::has_work() const {
  // The record before the next one stays: by it the log is recognised.
  return !failure_ && passed_ - 1 > bounds_.first;
}

void WriteAheadLog::close() {
  stop();
  disk_.reset();
}

Result<void> WriteAheadLog::write(const Group& group) {
  // A record behind a hole would never be read, and its sender's earlier ones would be taken for
  // kept: after a write that failed there is none.
  if (failure_) return tl::unexpected(*failure_);
  Offset trim_to = 0;
  {
    const std::lock_guard lock(mutex_);
    trim_to = std::clamp(passed_ - 1, bounds_.first, bounds_.first + trimmed_at_once);
  }
  Senders highest;
  auto next = bounds_.end;
  Result<void> written;
  const auto changes = changes_of(group, trim_to, next, highest);
  // What is removed need not be synced: after a loss of power it is removed again.
  if (!changes.empty()) written = disk_->write(changes, next != bounds_.end);
  const std::lock_guard lock(mutex_);
  if (written) {
    bounds_ = {.first = trim_to, .end = next};
    for (const auto& [sender, sequence] : highest) senders_[sender] = sequence;
  } else {
    failure_ = written.error();
  }
  return written;
}

std::vector<state::Disk::Change> WriteAheadLog::changes_of(const Group& group, Offset trim_to,
                                                           Offset& next, Senders& highest) const {
  using Family = state::Disk::Family;
  std::vector<state::Disk::Change> changes;
  for (const auto& [records, durable] : group) {
    for (const auto& record : records) {
      if (!is_new(senders_, highest, record)) continue;
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
