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
// Where markers did the last time.
constexpr auto hidden_patience = std::chrono::milliseconds(300);
// After which the topic's end is asked for: by then it is no marker of ours.
constexpr auto end_patience = std::chrono::milliseconds(200);
constexpr auto look_again_for_markers = std::chrono::milliseconds(5);

}  // namespace

tl::unexpected<Error> not_whole(const std::string& place, const std::string& what,
                                const std::string& remedy) {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in topic {} is not whole: {}. What it has lost is not begun "
                          "anew, because that stores records again or leaves some out: {}",
                          place, what, remedy));
}

void LedgerLog::see_stranger(Offset offset) {
  if (std::exchange(strangers_, true)) return;
  log_.warn(
      "topic {} has records that are none of semel's, the first at offset {}: they are passed "
      "over. The ledger is to have a topic of its own: see who writes there",
      topic_, offset);
}

void LedgerLog::see_broken(Offset offset, const std::optional<TopicPartition>& tp) {
  if (!tp) {
    broken_owner_ = offset;
    return;
  }
  read_.erase(*tp);
  broken_[*tp] = offset;
}

/// A record that comes later is the one that counts: so one that is none can be mended.
void LedgerLog::see(const Record& record) {
  auto fact = decode(record.key, record.value);
  last_ = mark_of(record);
  const std::lock_guard lock(mutex_);
  if (auto* owner = std::get_if<OwnerRow>(&fact)) {
    broken_owner_.reset();
    epochs_[owner->id] = owner->epoch;
    owner_ = std::move(*owner);
  } else if (auto* position = std::get_if<Position>(&fact)) {
    broken_.erase(position->at.tp);
    read_[position->at.tp] = std::move(*position);
  } else if (const auto* forgotten = std::get_if<Forgotten>(&fact)) {
    broken_.erase(forgotten->tp);
    read_.erase(forgotten->tp);
  } else if (const auto* broken = std::get_if<Broken>(&fact)) {
    see_broken(record.offset, broken->tp);
  } else if (record.key != owner_key()) {
    see_stranger(record.offset);
  }
}

Result<void> LedgerLog::is_whole() const {
  const std::lock_guard lock(mutex_);
  if (owner_ && owner_->version > ledger_version) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the ledger in topic {} is of version {}, and this semel knows {}: "
                            "use the newer semel that wrote it",
                            topic_, owner_->version, ledger_version));
  }
  const auto not_ours = [](Offset offset) {
    return fmt::format("the record at offset {} has a key of semel's and a value that is none",
                       offset);
  };
  if (broken_owner_) {
    return not_whole(
        topic_, not_ours(*broken_owner_),
        fmt::format("write the last good record of its key again. `kcat -C -e -b {0} -t {1} -K "
                    "'\\t'` shows all, and `kcat -P -b {0} -t {1} -K '\\t'` takes a line of it",
                    cluster_.brokers, topic_));
  }
  if (reader_of_ == Reader::people || broken_.empty()) return {};
  const auto& [tp, offset] = *broken_.begin();
  return not_whole(
      topic_, not_ours(offset),
      fmt::format(
          "`semel offsets FILE set {}:{}=OFFSET` says where that partition goes on, and the "
          "history in topic {}.history where it stood",
          tp.topic, tp.partition, topic_));
}

void LedgerLog::begin_anew() {
  at_.reset();
  last_.reset();
  const std::lock_guard lock(mutex_);
  owner_.reset();
  read_.clear();
  broken_owner_.reset();
  broken_.clear();
}

Result<void> LedgerLog::read_to(Offset end, const Stop& stop) {
  if (at_ && end < *at_) begin_anew();
  if (!at_) {
    auto first = reader_->begin(stop);
    if (!first) return tl::unexpected(first.error());
    at_ = *first;
  }
  auto read = reader_->read(*at_, end, last_, stop, [this](const Record& record) {
    see(record);
    return Result<void>();
  });
  if (read) at_ = std::max(*at_, end);
  return read;
}

Result<void> LedgerLog::read_on(const Stop& stop, bool settled) {
  if (!reader_) {
    auto opened = kafka::TopicReader::open(cluster_, name_, topic_);
    if (!opened) return tl::unexpected(opened.error());
    reader_ = *std::move(opened);
    at_.reset();
  }
  // What was read is either all of it, or begun anew.
  if (!at_) begin_anew();
  auto end = settled ? reader_->settled_end(stop) : reader_->end(stop);
  if (!end) return tl::unexpected(end.error());
  auto read = read_to(*end, stop);
  if (read) return is_whole();
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

/// Another owner has fenced us first: what we committed is over, or before what it wrote.
bool LedgerLog::others_own(const Positions& expected) const {
  return !owner_ || std::ranges::any_of(expected, [this](const auto& one) {
    return one.second.owner != owner_->id;
  });
}

/// `all`: an end of the topic behind what we committed. It is hidden where somebody has not ended
/// what is before it, and else it is nowhere.
bool LedgerLog::is_hidden(Offset all) {
  const bool hidden = *at_ < all;
  if (hidden && !hidden_) {
    log_.warn(
        "what was committed to topic {} cannot be read: a transaction that somebody left open is "
        "before it. What runs goes on, and what begins waits for its end. "
        "`kafka-transactions.sh find-hanging` finds it",
        topic_);
  }
  hidden_ = hidden;
  return hidden;
}

Result<void> LedgerLog::refresh(const Stop& stop, bool settled) {
  const std::lock_guard reading(reading_);
  const auto expected = [this] {
    const std::lock_guard lock(mutex_);
    return ours_;
  }();
  const auto begun = Clock::now();
  std::optional<Offset> all;
  while (true) {
    if (auto read = read_on(stop, settled); !read) return read;
    {
      const std::lock_guard lock(mutex_);
      if (others_own(expected) || has(expected)) break;
    }
    const auto waited = Clock::now() - begun;
    if (!all && waited >= end_patience) {
      auto end = reader_->end_of_all(stop);
      if (!end) return tl::unexpected(end.error());
      all = *end;
    }
    if (all && waited >= (hidden_ ? hidden_patience : markers_patience)) {
      // What we know of it stays what counts: nobody who could own the output can read on, either.
      if (is_hidden(*all)) return {};
      break;
    }
    std::this_thread::sleep_for(look_again_for_markers);
  }
  hidden_ = false;
  const std::lock_guard lock(mutex_);
  const bool others = others_own(expected);
  std::erase_if(ours_, [&](const auto& one) {
    const auto was = expected.find(one.first);
    return others ||
           (was != expected.end() && was->second.at.batch_time >= one.second.at.batch_time);
  });
  return {};
}

/// `all` is asked for where it is not known.
Result<bool> LedgerLog::has_read_to(std::optional<Offset>& all, const Stop& stop) {
  const std::lock_guard reading(reading_);
  if (!reader_ || !at_) return false;
  if (!all) {
    auto end = reader_->end_of_all(stop);
    if (!end) return tl::unexpected(end.error());
    all = *end;
  }
  return *at_ >= *all;
}

Result<bool> LedgerLog::read_all(std::chrono::milliseconds patience, const Stop& stop) {
  const auto give_up = Clock::now() + patience;
  std::optional<Offset> all;
  while (true) {
    if (auto read = refresh(stop); !read) return tl::unexpected(read.error());
    auto done = has_read_to(all, stop);
    if (!done || *done || Clock::now() >= give_up) return done;
    std::this_thread::sleep_for(look_again_for_markers);
  }
}

tl::unexpected<Error> LedgerLog::hidden() const {
  return fail(ErrorKind::unavailable, Cause::sink,
              fmt::format("topic {} cannot be read to its end: a transaction that somebody left "
                          "open is in it (`kafka-transactions.sh find-hanging` finds it)",
                          topic_));
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

std::vector<TopicPartition> LedgerLog::broken() const {
  const std::lock_guard lock(mutex_);
  std::vector<TopicPartition> all;
  for (const auto& [tp, offset] : broken_) all.push_back(tp);
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

Result<std::vector<Move>> read_history(kafka::TopicReader& reader, Offset from, Offset until,
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
