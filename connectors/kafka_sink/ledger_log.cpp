#include "kafka_sink/ledger_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace semel::kafka_sink {

namespace {

using Clock = std::chrono::steady_clock;

// How long markers may take behind the answer to a commit.
constexpr auto markers_patience = std::chrono::seconds(15);
constexpr auto look_again_for_markers = std::chrono::milliseconds(5);

}  // namespace

tl::unexpected<Error> not_whole(const std::string& place, const std::string& what,
                                const std::string& remedy) {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in topic {} is not whole: {}. What it has lost is not begun "
                          "anew, because that stores records again or leaves some out: {}",
                          place, what, remedy));
}

Result<void> LedgerLog::see(const Record& record) {
  auto fact = decode(record.key, record.value);
  if (!fact) {
    return not_whole(topic_,
                     fmt::format("the record at offset {} is none of semel's", record.offset),
                     "use a topic of its own (ledger.topic)");
  }
  last_ = mark_of(record);
  const std::lock_guard lock(mutex_);
  if (auto* owner = std::get_if<OwnerRow>(&*fact)) {
    if (owner->version > ledger_version) {
      return fail(ErrorKind::fatal, Cause::sink,
                  fmt::format("the ledger in topic {} is of version {}, and this semel knows {}: "
                              "use the newer semel that wrote it",
                              topic_, owner->version, ledger_version));
    }
    epochs_[owner->id] = owner->epoch;
    owner_ = std::move(*owner);
  } else if (auto* position = std::get_if<Position>(&*fact)) {
    read_[position->at.tp] = std::move(*position);
  } else if (const auto* forgotten = std::get_if<Forgotten>(&*fact)) {
    read_.erase(forgotten->tp);
  }
  return {};
}

void LedgerLog::begin_anew() {
  at_.reset();
  last_.reset();
  const std::lock_guard lock(mutex_);
  owner_.reset();
  read_.clear();
}

Result<void> LedgerLog::read_to(Offset end, const Stop& stop) {
  if (at_ && end < *at_) begin_anew();
  if (!at_) {
    auto first = reader_->begin(stop);
    if (!first) return tl::unexpected(first.error());
    at_ = *first;
  }
  auto read =
      reader_->read(*at_, end, last_, stop, [this](const Record& record) { return see(record); });
  if (read) at_ = std::max(*at_, end);
  return read;
}

Result<void> LedgerLog::read_on(const Stop& stop, bool settled) {
  if (!reader_) {
    auto opened = TopicReader::open(cluster_, name_, topic_);
    if (!opened) return tl::unexpected(opened.error());
    reader_ = *std::move(opened);
    at_.reset();
  }
  // What was read is either all of it, or begun anew.
  if (!at_) begin_anew();
  auto end = settled ? reader_->settled_end(stop) : reader_->end(stop);
  if (!end) return tl::unexpected(end.error());
  auto read = read_to(*end, stop);
  if (read) return read;
  const bool other_log = read.error().kind == ErrorKind::data_loss;
  reader_.reset();
  begin_anew();
  if (other_log) read.error().kind = ErrorKind::unavailable;
  return read;
}

/// Whether `expected`, or what came behind it, was read.
bool LedgerLog::has(const Positions& expected) const {
  return std::ranges::all_of(expected, [this](const auto& one) {
    const auto found = read_.find(one.first);
    return found != read_.end() && found->second.at.batch_time >= one.second.at.batch_time;
  });
}

Result<void> LedgerLog::refresh(const Stop& stop, bool settled) {
  const std::lock_guard reading(reading_);
  const auto expected = [this] {
    const std::lock_guard lock(mutex_);
    return ours_;
  }();
  const auto give_up = Clock::now() + markers_patience;
  while (true) {
    if (auto read = read_on(stop, settled); !read) return read;
    {
      const std::lock_guard lock(mutex_);
      // Another owner has fenced us first: what we committed is over, or before what it wrote.
      const bool others = !owner_ || std::ranges::any_of(expected, [this](const auto& one) {
        return one.second.owner != owner_->id;
      });
      if (others || has(expected) || Clock::now() >= give_up) {
        std::erase_if(ours_, [&](const auto& one) {
          const auto was = expected.find(one.first);
          return others ||
                 (was != expected.end() && was->second.at.batch_time >= one.second.at.batch_time);
        });
        return {};
      }
    }
    std::this_thread::sleep_for(look_again_for_markers);
  }
}

std::optional<OwnerRow> LedgerLog::owner() const {
  const std::lock_guard lock(mutex_);
  return owner_;
}

bool LedgerLog::has_read(const OwnerRow& owner) const {
  const std::lock_guard lock(mutex_);
  const auto found = epochs_.find(owner.id);
  return found != epochs_.end() && found->second >= owner.epoch;
}

LedgerLog::Positions LedgerLog::positions() const {
  const std::lock_guard lock(mutex_);
  auto all = ours_;
  all.insert(read_.begin(), read_.end());
  return all;
}

LedgerEntry LedgerLog::entry(const TopicPartition* tp) const {
  const std::lock_guard lock(mutex_);
  LedgerEntry entry;
  if (owner_) {
    entry.epoch = owner_->epoch;
    entry.owner = owner_->id;
    entry.owner_description = owner_->description;
    entry.since = owner_->since;
  }
  if (tp == nullptr) return entry;
  for (const auto* positions : {&ours_, &read_}) {
    const auto found = positions->find(*tp);
    if (found == positions->end()) continue;
    entry.until = found->second.at.until;
    entry.batch_time = found->second.at.batch_time;
    break;
  }
  return entry;
}

void LedgerLog::committed(std::span<const Position> positions) {
  const std::lock_guard lock(mutex_);
  for (const auto& position : positions) ours_[position.at.tp] = position;
}

Result<std::vector<Move>> read_history(TopicReader& reader, Offset from, Offset until,
                                       const Stop& stop) {
  std::vector<Move> moves;
  auto read =
      reader.read(from, until, std::nullopt, stop, [&](const Record& record) -> Result<void> {
        // What others wrote there is no history of ours.
        if (auto move = decode_move(record.value)) moves.push_back(*std::move(move));
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return moves;
}

}  // namespace semel::kafka_sink
