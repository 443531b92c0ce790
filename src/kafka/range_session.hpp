// One partition of a reader: where it is, what the next range needs, and whether the log is still
// the one that was read before.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "kafka/partition_fetch.hpp"
#include "kafka/question_client.hpp"
#include "kafka/range_reader.hpp"

namespace semel::kafka {

class RangeSession {
 public:
  RangeSession(Client& client, QuestionClient& questions, const TopicPartition& tp,
               const QueueLimits& limits);

  /// As RangeReader::begin().
  Result<void> begin(const OffsetRange& range, const std::optional<RecordMark>& last, bool recheck);

  /// As RangeReader::expect().
  void expect(const OffsetRange& range, const std::optional<RecordMark>& last, bool recheck);
  bool expected() const { return expected_.has_value(); }

  /// As RangeReader::read(): true at the range's end. The records are views into `messages`. Both
  /// are empty when called.
  Result<bool> read(std::size_t max_records, int wait_ms, Messages& messages,
                    std::vector<Record>& records);

  const TopicPartition& tp() const { return range_.tp; }
  const std::optional<LostRange>& lost() const { return lost_; }
  bool fetching() const { return fetch_.running(); }
  std::chrono::steady_clock::time_point last_moved() const { return moved_; }
  /// Gives up what was prefetched; the next range begins anew.
  void stop() { fetch_.stop(); }

 private:
  using Clock = std::chrono::steady_clock;

  /// What begin() was or will be called with.
  struct Beginning {
    OffsetRange range;
    std::optional<RecordMark> last;
    bool recheck = false;
    bool operator==(const Beginning&) const = default;
  };

  Result<void> restart();
  Result<void> fetch_from(Offset offset);
  /// What the log holds fits the mark, or cannot be compared with it.
  void compared();
  bool in_doubt() const;
  Result<bool> take(Messages& messages, std::vector<Record>& records);
  /// False: the rest of the batch must not be looked at.
  Result<bool> on_record(const rd_kafka_message_t& message);
  Result<bool> on_event(const rd_kafka_message_t& message);
  Result<bool> on_out_of_range();
  /// Nothing came for a while: what can be known of the reason. An error only where something is
  /// known; a question that is not answered is no evidence.
  Result<void> ask_why();
  Result<void> follow(const Messages& messages);
  /// Before a range ends in which offsets are missing: false: not known yet.
  Result<bool> look_into_gap();
  Result<bool> below_end(Offset offset);
  tl::unexpected<Error> damaged(Offset offset, const std::string& why);
  void missing_before(Offset record);
  Offset position() const;
  bool at_end() const;
  Result<bool> end();
  void finish();

  Error vanished();
  Error out_of_log(Offset earliest, Offset latest);
  Error another_log(const RecordMark& found);

  Client& client_;
  QuestionClient& questions_;
  PartitionFetch fetch_;
  OffsetRange range_;
  std::optional<Beginning> begun_;     ///< the range that is read, or was last
  std::optional<Beginning> expected_;  ///< begun already, before it was due
  bool complete_ = false;
  Offset next_ = 0;   ///< the lowest offset that may still be given out
  Offset least_ = 0;  ///< the lowest offset that may still be fetched
  /// The most offsets that are missing in the range, more than one: no marker is that. Compacted,
  /// of an aborted transaction, or jumped over by a batch whose own offset is damaged.
  struct Gap {
    Offset from = 0;
    Offset record = 0;  ///< the one behind it
  };
  std::optional<Gap> widest_;
  Offset sound_ = -1;                      ///< the record behind a gap that was looked into
  std::unique_ptr<PartitionFetch> probe_;  ///< looks into the gap
  Offset gap_ = 0;   ///< the last one that was missing in what was fetched, or the first of all
  Offset end_ = -1;  ///< the highest end of partition seen since fetching started
  std::optional<LostRange> lost_;

  // Recognising the log (protocol, section 6).
  std::optional<RecordMark> mark_;   ///< the last record before next_ that is known
  std::optional<RecordMark> check_;  ///< set while the log's record has not been compared with it
  std::uint64_t doubts_at_start_ = 0;
  std::uint64_t doubts_resolved_ = 0;

  // Why nothing comes.
  Clock::time_point moved_;
  Clock::time_point asked_;
  std::optional<Clock::time_point> missing_since_;
  std::optional<Clock::time_point> short_since_;
};

}  // namespace semel::kafka
