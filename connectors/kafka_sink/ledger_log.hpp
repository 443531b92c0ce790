// The ledger's topic, as far as it has been read, with what we know to be in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "base/log.hpp"
#include "kafka/options.hpp"
#include "kafka/topic_reader.hpp"
#include "kafka_sink/ledger_record.hpp"

namespace semel::kafka_sink {

using kafka::Stop;

/// What stands in it is fatal (Cause::sink): "restore it, or ..."; `place` names the topic.
tl::unexpected<Error> not_whole(const std::string& place, const std::string& what,
                                const std::string& remedy);

/// Thread safe.
class LedgerLog {
 public:
  using Positions = std::map<TopicPartition, Position>;

  /// For whom it is read. People see what was answered to others (TopicReader::settled_end()), and
  /// what is left of a ledger that is not whole.
  enum class Reader : std::uint8_t { owner, people };

  LedgerLog(kafka::Options cluster, std::string name, std::string topic, Reader reader, Log log)
      : cluster_(std::move(cluster)),
        name_(std::move(name)),
        topic_(std::move(topic)),
        reader_of_(reader),
        log_(std::move(log)) {}

  /// Reads on, to the end of what is committed now, and at least until what committed() was told is
  /// there, or known to have been lost: a commit is answered before each partition has its marker.
  /// Where somebody else's transaction hides it, what committed() was told stays what is known.
  Result<void> refresh(const Stop& stop) { return refresh(stop, reader_of_ == Reader::people); }
  /// To the end of all that is there now, also behind what somebody has not ended: there may stand
  /// what was committed, and nobody knows of. False: that was not over within `patience`.
  Result<bool> read_all(std::chrono::milliseconds patience, const Stop& stop);
  /// Says so: unavailable.
  tl::unexpected<Error> hidden() const;
  /// `settled`: as for people.
  Result<void> refresh(const Stop& stop, bool settled);

  std::optional<OwnerRow> owner() const;
  /// Whether this owner's record was read, though another one may stand behind it.
  bool has_read(const OwnerRow& owner) const;
  Positions positions() const;
  /// Partitions whose last record is none; only people get so far.
  std::vector<TopicPartition> broken() const;
  /// Of the owner; of the partition, too, where one is given.
  LedgerEntry entry(const TopicPartition* tp) const;
  /// A transaction of ours wrote these, and its commit was answered.
  void committed(std::span<const Position> positions);

 private:
  Result<void> read_on(const Stop& stop, bool settled);
  Result<bool> has_read_to(std::optional<Offset>& all, const Stop& stop);
  Result<void> read_to(Offset end, const Stop& stop);
  void see(const Record& record);
  void see_stranger(Offset offset);
  void see_broken(Offset offset, const std::optional<TopicPartition>& tp);
  Result<void> is_whole() const;
  void begin_anew();
  bool has(const Positions& expected) const;
  bool others_own(const Positions& expected) const;
  bool is_hidden(Offset all);

  kafka::Options cluster_;
  std::string name_;
  std::string topic_;
  Reader reader_of_;
  Log log_;

  std::mutex reading_;  ///< held by who reads on
  std::optional<kafka::TopicReader> reader_;
  std::optional<Offset> at_;        ///< read up to here; absent: nothing yet
  std::optional<RecordMark> last_;  ///< the last record before it
  bool hidden_ = false;             ///< at the last refresh; said once
  bool strangers_ = false;          ///< said once

  mutable std::mutex mutex_;  ///< of what follows
  std::optional<OwnerRow> owner_;
  std::map<std::string, std::int64_t> epochs_;  ///< the last of each owner, by its id
  Positions read_;
  std::optional<Offset> broken_owner_;       ///< where its last record is that is none
  std::map<TopicPartition, Offset> broken_;  ///< likewise
  Positions ours_;  ///< as committed() was told, where it is ahead of what was read
};

/// The moves of [from, until) of a history, in the order of its topic.
Result<std::vector<Move>> read_history(kafka::TopicReader& reader, Offset from, Offset until,
                                       const Stop& stop);

}  // namespace semel::kafka_sink
