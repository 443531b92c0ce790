// The words of semel as values: partitions, offset ranges, batches, owners, progress.
// Everything here is a plain value: copyable, comparable, without hidden state or I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <semel/api.hpp>

namespace semel {

/// A Kafka offset: the position of one record in its partition. Never negative once resolved.
using Offset = std::int64_t;

/// The key of everything stored. Never the index of a task or a thread.
struct TopicPartition {
  std::string topic;           ///< its name
  std::int32_t partition = 0;  ///< its number, from 0

  auto operator<=>(const TopicPartition&) const = default;  ///< by topic, then partition
};

/// The topic of a partition that is not in Kafka and counts batches: where rows belong to a whole
/// batch and not to a record, each batch moves it, in the transaction of its other ranges. Its
/// positions are no records. Kafka has no topic of such a name, and every other sorts before it.
inline constexpr std::string_view batches_topic = "~batches";

/// Whether this is that partition.
inline bool is_batches(const TopicPartition& tp) {
  return tp.topic == batches_topic;
}

/// "clicks[3]": how a partition is written in messages and logs.
SEMEL_API std::string to_string(const TopicPartition& tp);

/// The offsets [from, until) of one partition: `from` is included, `until` is not. from < until.
struct OffsetRange {
  TopicPartition tp;  ///< whose offsets they are
  Offset from = 0;    ///< included
  Offset until = 0;   ///< not included

  auto operator<=>(const OffsetRange&) const = default;  ///< by partition, then offsets
};

/// "clicks[3] [100, 250)"
SEMEL_API std::string to_string(const OffsetRange& range);

/// Milliseconds since the Unix epoch; names a batch. Strictly increasing within a pipeline.
struct BatchTime {
  std::int64_t ms = 0;  ///< since the Unix epoch; 0: no batch

  auto operator<=>(const BatchTime&) const = default;  ///< earlier is less
};

/// What a record looked like, so that a partition can be recognised when it is read again. A topic
/// that was deleted and created anew has other records at the same offsets.
struct RecordMark {
  Offset offset = 0;               ///< of the record
  std::int64_t timestamp_ms = -1;  ///< Kafka's timestamp of the record; -1 where it has none
  std::uint32_t checksum = 0;  ///< CRC-32 (zlib) over key, then value; an absent part adds nothing

  auto operator<=>(const RecordMark&) const = default;  ///< equal: the same record
};

/// How far one partition has come in one output: everything below `until` is in the sink.
struct Progress {
  TopicPartition tp;               ///< which partition
  Offset until = 0;                ///< not included: the next offset to read
  BatchTime batch_time;            ///< of the batch that moved it last; 0 before the first
  std::optional<RecordMark> last;  ///< the last record committed, where one was

  bool operator==(const Progress&) const = default;  ///< in all members
};

/// Who writes to an output. One owner at a time; the epoch is the sink's and rises at each
/// take-over.
struct Owner {
  std::string pipeline;     ///< the pipeline's name
  std::string output;       ///< the output's name
  std::string id;           ///< a random UUID, new for every process
  std::string description;  ///< for people: program, host and process id
  std::string reads;        ///< for people: its topics; compared with what the last owner read
  std::int64_t heartbeat_ms = 3'000;  ///< Sink::keep_alive comes at least so often
};

/// In which order rows and offsets become durable.
enum class Delivery : std::uint8_t {
  exactly_once,   ///< rows and ledger in one transaction
  at_least_once,  ///< rows first, then the ledger, in a transaction of its own
  at_most_once,   ///< the ledger first, then the rows
};

/// Why a task exists.
enum class TaskKind : std::uint8_t {
  load,  ///< fetch the range and commit its rows
  lost,  ///< fetch nothing; record that the range was lost (on_data_loss) and move on
};

/// One range of one batch, given to one executor.
struct Task {
  BatchTime time;  ///< of its batch
  OffsetRange
      range;  ///< for TaskKind::lost: `until` is where reading goes on and may be below `from`
  TaskKind kind = TaskKind::load;  ///< what is to be done
  std::int64_t epoch = 0;          ///< the owner's epoch under which the task was handed out
  bool isolate = false;            ///< the fast attempt met bad data: find the bad rows one by one
  bool last_resort = false;  ///< isolating, and the next failure may be the last: what one row
                             ///< alone meets is its fault, though it looks like what passes
  bool recheck = false;  ///< compare `last` with the log before reading on (protocol, section 6)
  std::optional<RecordMark> last;  ///< the last record committed before `range`
  /// The batch time with which the ledger came to stand at range.from, where that is known.
  /// Compared like `until`: after a failover another history may stand at the same offset.
  std::optional<BatchTime> moved_by;
  std::string reason;  ///< for TaskKind::lost: what was lost and why
};

}  // namespace semel
