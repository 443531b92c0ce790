// Reads offset ranges [from, until) of several partitions, one range at a time, and keeps each
// partition's fetch session (and what it prefetched) across contiguous ranges.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

struct ReadStep {
  std::span<const Record> records;  ///< valid until the next call on this reader
  bool end = false;                 ///< the range is complete: nothing below `until` is missing
};

/// What the log holds where a range could not be read as planned.
struct LostRange {
  Offset wanted = 0;
  Offset earliest = 0;
  Offset latest = 0;
  bool recreated = false;  ///< it is another log than the one that was read before
  bool gone = false;       ///< there is no such partition, and so there are no offsets
};

/// Used by one executor; not thread safe. Owns one librdkafka client, and a second one as soon as
/// records do not come and Kafka is asked why.
class RangeReader {
 public:
  static Result<std::unique_ptr<RangeReader>> connect(const Options& options,
                                                      const std::string& pipeline);
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  /// Begins `range`. Contiguous with what was read before of this partition: goes on with what was
  /// prefetched. Otherwise fetching starts anew, at `last` if given, to compare it with the log: a
  /// record with that offset but another timestamp or checksum is a data_loss error ("the topic was
  /// created anew"); an absent one (compacted, aged out) proves nothing and is accepted.
  /// `recheck` forces the comparison. A range that was not read to its end is simply begun again;
  /// if nothing of it was given out yet, what is being fetched for it goes on.
  Result<void> begin(const OffsetRange& range, const std::optional<RecordMark>& last, bool recheck);

  /// `range` will be begun soon, with these same values: fetching starts now if the memory budget
  /// allows it, so that begin() finds records waiting. Does not wait; what fails here fails again
  /// in begin(). Ranges that are expected and never begun cost their queue until the next begin().
  void expect(const OffsetRange& range, const std::optional<RecordMark>& last, bool recheck);

  /// Up to `max_records` of the current range, waiting up to `wait_ms` for the first. May return
  /// none and end == false (nothing yet) or end == true (the rest of the range is invisible:
  /// markers, aborted or compacted records). Records at or past `until` are kept for the next
  /// range. Errors: unavailable (the client goes on trying by itself; call again), data_loss (names
  /// wanted, earliest and latest offset), fatal (also where another cluster answers: then a range
  /// does not end). After an error call begin() again.
  Result<ReadStep> read(std::size_t max_records, int wait_ms);

  /// Whether Kafka answered when it was asked last why nothing comes.
  bool kafka_answers() const;

  /// What was lost, if the last error was ErrorKind::data_loss.
  std::optional<LostRange> lost() const;

  /// Stops fetching a partition that this executor will not read any more.
  void forget(const TopicPartition& tp);

 private:
  struct Impl;
  explicit RangeReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
