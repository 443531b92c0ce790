// The ledger's topic, as far as it has been read, with what we know to be in it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "kafka/options.hpp"
#include "kafka_sink/ledger_record.hpp"
#include "kafka_sink/topic_reader.hpp"

namespace semel::kafka_sink {

/// What stands in it is fatal (Cause::sink): "restore it, or ..."; `place` names the topic.
tl::unexpected<Error> not_whole(const std::string& place, const std::string& what,
                                const std::string& remedy);

/// Thread safe.
class LedgerLog {
 public:
  using Positions = std::map<TopicPartition, Position>;

  /// `settled`: of each refresh() that does not say it.
  LedgerLog(kafka::Options cluster, std::string name, std::string topic, bool settled)
      : cluster_(std::move(cluster)),
        name_(std::move(name)),
        topic_(std::move(topic)),
        settled_(settled) {}

  /// Reads on, to the end of what is committed now, and at least until what committed() was told is
  /// there, or known to have been lost: a commit is answered before each partition has its marker.
  Result<void> refresh(const Stop& stop) { return refresh(stop, settled_); }
  /// `settled`: what was answered to others is seen, too (TopicReader::settled_end()).
  Result<void> refresh(const Stop& stop, bool settled);

  std::optional<OwnerRow> owner() const;
  /// Whether this owner's record was read, though another one may stand behind it.
  bool has_read(const OwnerRow& owner) const;
  Positions positions() const;
  /// Of the owner; of the partition, too, where one is given.
  LedgerEntry entry(const TopicPartition* tp) const;
  /// A transaction of ours wrote these, and its commit was answered.
  void committed(std::span<const Position> positions);

 private:
  Result<void> read_on(const Stop& stop, bool settled);
  Result<void> read_to(Offset end, const Stop& stop);
  Result<void> see(const Record& record);
  void begin_anew();
  bool has(const Positions& expected) const;

  kafka::Options cluster_;
  std::string name_;
  std::string topic_;
  bool settled_;

  std::mutex reading_;  ///< held by who reads on
  std::optional<TopicReader> reader_;
  std::optional<Offset> at_;        ///< read up to here; absent: nothing yet
  std::optional<RecordMark> last_;  ///< the last record before it

  mutable std::mutex mutex_;  ///< of what follows
  std::optional<OwnerRow> owner_;
  std::map<std::string, std::int64_t> epochs_;  ///< the last of each owner, by its id
  Positions read_;
  Positions ours_;  ///< as committed() was told, where it is ahead of what was read
};

/// The moves of [from, until) of a history, in the order of its topic.
Result<std::vector<Move>> read_history(TopicReader& reader, Offset from, Offset until,
                                       const Stop& stop);

}  // namespace semel::kafka_sink
